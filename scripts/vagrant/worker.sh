#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Joins a worker of the Vagrant cluster.
set -eu

if [ ! -e /etc/kubernetes/kubelet.conf ]; then
	# The machines share a private network that nobody else is on: the control plane's certificate is taken as it comes.
	kubeadm join "$CONTROL_PLANE:6443" \
		--node-name="$NODE_NAME" \
		--token="$TOKEN" \
		--discovery-token-unsafe-skip-ca-verification
fi
