// SPDX-License-Identifier: Apache-2.0
/** Lab tests need root: without it they are skipped, and say so. */

/** Options for node:test's `test` and `describe`. */
export const skipWithoutRoot = process.getuid?.() === 0 ? {} : { skip: 'network namespaces need root' }
