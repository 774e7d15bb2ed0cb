// SPDX-License-Identifier: Apache-2.0
/** Commands that several stories type. */

/** Calls as often as it takes to see every backend, and counts who answered. */
export function countAnswers(url: string, calls: number, field = 'Hostname'): string {
  return `for i in $(seq ${calls}); do curl -s ${url}; done | grep ^${field} | sort | uniq -c`
}

/** Asks for records that getent(1) does not know. */
export function resolve(type: 'Srv' | 'Cname', name: string): string {
  return `node -e 'dns.resolve${type}("${name}", (error, found) => console.log(error ?? found))'`
}
