// SPDX-License-Identifier: Apache-2.0
/** Primes, as lengths of Maglev tables. */

function isPrime(n: number): boolean {
  if (n < 4) return n > 1
  if (n % 2 === 0 || n % 3 === 0) return false
  for (let divisor = 5; divisor * divisor <= n; divisor += 6) {
    if (n % divisor === 0 || n % (divisor + 2) === 0) return false
  }
  return true
}

/** The least prime that is not below `n`. */
export function nextPrime(n: number): number {
  let candidate = Math.max(2, Math.ceil(n))
  while (!isPrime(candidate)) candidate++
  return candidate
}
