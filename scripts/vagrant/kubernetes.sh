#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Container runtime, kubelet and kubeadm on one machine of the Vagrant cluster.
set -eu
export DEBIAN_FRONTEND=noninteractive

# The kubelet refuses to start with swap on.
swapoff -a
sed -i '/\sswap\s/d' /etc/fstab

cat >/etc/modules-load.d/kubernetes.conf <<'CONF'
overlay
br_netfilter
CONF
modprobe overlay
modprobe br_netfilter

cat >/etc/sysctl.d/90-kubernetes.conf <<'CONF'
net.ipv4.ip_forward = 1
net.bridge.bridge-nf-call-iptables = 1
net.bridge.bridge-nf-call-ip6tables = 1
CONF
sysctl -q --system

apt-get update -q
apt-get install -y -q --no-install-recommends ca-certificates curl gpg containerd containernetworking-plugins

repository=https://pkgs.k8s.io/core:/stable:/v$KUBERNETES_MINOR/deb/
keyring=/etc/apt/keyrings/kubernetes.gpg
mkdir -p "${keyring%/*}"
curl -fsSL "${repository}Release.key" | gpg --dearmor --yes -o "$keyring"
echo "deb [signed-by=$keyring] $repository /" >/etc/apt/sources.list.d/kubernetes.list
apt-get update -q
apt-get install -y -q --no-install-recommends kubelet kubeadm kubectl
apt-mark hold kubelet kubeadm kubectl

# The kubelet keeps pods in systemd's cgroups; containerd must do the same. Debian keeps CNI plugins in /usr/lib/cni.
containerd config default |
	sed -e 's/SystemdCgroup = false/SystemdCgroup = true/' -e 's#/opt/cni/bin#/usr/lib/cni#' \
		>/etc/containerd/config.toml
systemctl restart containerd

# The first interface is the provider's own, with the same address on every machine under VirtualBox.
echo "KUBELET_EXTRA_ARGS=--node-ip=$NODE_ADDRESS" >/etc/default/kubelet
