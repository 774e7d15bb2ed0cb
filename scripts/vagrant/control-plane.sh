#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The control plane of the Vagrant cluster, without kube-proxy.
set -eu

if [ ! -e /etc/kubernetes/admin.conf ]; then
	kubeadm init \
		--skip-phases=addon/kube-proxy \
		--node-name="$NODE_NAME" \
		--apiserver-advertise-address="$NODE_ADDRESS" \
		--pod-network-cidr=10.244.0.0/16 \
		--token="$TOKEN" --token-ttl=0
fi

mkdir -p /root/.kube
cp /etc/kubernetes/admin.conf /root/.kube/config
