#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The CNI of the Vagrant cluster: a bridge on each node, a static route to every other node's pods.
set -eu

pod_cidr() { echo "10.244.${1##*.}.0/24"; }

mkdir -p /etc/cni/net.d
cat >/etc/cni/net.d/10-bridge.conflist <<CONF
{
  "cniVersion": "1.0.0",
  "name": "bridge",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "$(pod_cidr "$NODE_ADDRESS")" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    { "type": "portmap", "capabilities": { "portMappings": true } }
  ]
}
CONF

# Pods reach the world by their node's address, each other by their own.
cat >/usr/local/sbin/pod-routes <<CONF
#!/bin/sh
set -eu
$(for node in $NODES; do
	address=${node#*=}
	[ "$address" = "$NODE_ADDRESS" ] || echo "ip route replace $(pod_cidr "$address") via $address"
done)
iptables -t nat -C POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE 2>/dev/null ||
	iptables -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE
CONF
chmod 755 /usr/local/sbin/pod-routes

cat >/etc/systemd/system/pod-routes.service <<'CONF'
[Unit]
Description=Routes to the pods of the other nodes
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/pod-routes

[Install]
WantedBy=multi-user.target
CONF
command -v iptables >/dev/null || apt-get install -y -q --no-install-recommends iptables
systemctl daemon-reload
systemctl enable --now pod-routes.service

# Names of the machines, for people and for the kubelet.
sed -i '/ # maglane$/d' /etc/hosts
for node in $NODES; do echo "${node#*=} ${node%%=*} # maglane" >>/etc/hosts; done
