#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# This checkout, ready to run, as the command `maglane`.
set -eu
/opt/maglane/scripts/bootstrap.sh
ln -sf /opt/maglane/bin/maglane /usr/local/bin/maglane
