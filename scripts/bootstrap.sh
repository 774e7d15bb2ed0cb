#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a checkout ready to run: system packages, node modules, kernel file systems, BPF objects.
# POSIX sh, because it runs before any node module exists. Safe to run again: what is there stays.
# Progress goes to standard error, so that standard output belongs to what runs next.
set -eu

cd "$(dirname "$0")/.."
# Debian keeps ip and bpftool out of a user's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export PATH

say() { echo "bootstrap: $*" >&2; }
fail() {
	say "$*"
	exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }
is_root() { [ "$(id -u)" -eq 0 ]; }

# Two runs in one checkout take turns.
lock() {
	if has flock; then
		exec 9<package.json
		flock -n 9 || { say "waiting for another bootstrap of this checkout"; flock 9; }
	fi
}

# ------------------------------------------------------------ system packages

# What is missing, as Debian's packages: `need PACKAGE TEST…` adds PACKAGE where TEST fails.
missing=
need() {
	package=$1
	shift
	"$@" || missing="$missing $package"
}
has_library() {
	for dir in /usr/lib/*-linux-gnu /usr/lib64 /usr/lib /lib64 /usr/local/lib; do
		[ -e "$dir/$1" ] && return 0
	done
	return 1
}

list_missing() {
	need clang has clang
	need llvm has llvm-strip
	need libbpf1 has_library libbpf.so.1
	need libbpf-dev test -e /usr/include/bpf/bpf_helpers.h
	need linux-libc-dev test -e /usr/include/linux/bpf.h
	need bpftool has bpftool
	need iproute2 has ip
	need iptables has iptables
	need nftables has nft
	need conntrack has conntrack
	need ethtool has ethtool
	need iputils-ping has ping
	need procps has sysctl
	need util-linux has nsenter
	need curl has curl
	need ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
	# A Node of any age will do: the one that runs maglane comes as a node module.
	need nodejs has node
	need npm has npm
}

install_missing() {
	if ! has apt-get; then
		fail "missing, by the names of Debian's packages:$missing. Install what your distribution calls them"
	fi
	is_root || fail "missing packages; run as root, or: apt-get install$missing"
	say "installing:$missing"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >&2 || fail "apt-get update failed"
	# shellcheck disable=SC2086 # a list of package names
	apt-get install -y -q --no-install-recommends $missing >&2 ||
		fail "apt-get could not install:$missing"
}

# --------------------------------------------------------------- node modules

node24=node_modules/node/bin/node

modules_fresh() {
	# npm writes its own copy of the lock file last.
	[ -x "$node24" ] && [ -e node_modules/.package-lock.json ] &&
		[ -z "$(find package-lock.json -newer node_modules/.package-lock.json)" ]
}

install_modules() {
	say "npm ci (about 20 s)"
	# Errors only: npm warns that the Node it runs on is older than the one it is about to install.
	npm ci --loglevel=error --no-audit --no-fund --include=dev >&2 || fail "npm ci failed"
	if [ ! -x "$node24" ]; then
		# npm was told not to run install scripts; this one fetches Node's binary.
		say "fetching Node 24"
		(cd node_modules/node && node installArchSpecificPackage.js >&2) || true
		[ -x "$node24" ] || fail "no $node24: the node package's install script did not run"
	fi
	touch node_modules/.package-lock.json
}

# -------------------------------------------------------- kernel file systems

# The type of file system is the word after the lone dash (proc(5), mountinfo).
mounted() { grep -q " - $1 " /proc/self/mountinfo; }

mount_missing() {
	if ! mounted bpf; then
		say "mounting bpffs on /sys/fs/bpf"
		mount -t bpf bpf /sys/fs/bpf || fail "cannot mount bpffs: is this container privileged?"
	fi
	if ! mounted cgroup2; then
		where=/sys/fs/cgroup
		if mounted cgroup; then
			# Version 1 holds the folder itself; the two live side by side.
			where=/sys/fs/cgroup/unified
			mkdir -p "$where"
		fi
		say "mounting cgroup2 on $where"
		mount -t cgroup2 cgroup2 "$where" || fail "cannot mount cgroup2: is this container privileged?"
	fi
}

# ----------------------------------------------------------------------- main

[ "$(uname -s)" = Linux ] || fail "maglane runs on Linux"
list_missing
[ -z "$missing" ] || install_missing
lock
modules_fresh || install_modules
if is_root; then
	mount_missing
else
	say "not root: nothing that loads BPF programs will run"
fi
# Says what it builds, and leaves alone what is up to date.
"$node24" scripts/build-bpf.ts >&2 || fail "the BPF programs do not build"
