// SPDX-License-Identifier: Apache-2.0
/** Tables of the command line. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTable } from '../../../src/cli/table.ts'

test('formatTable() aligns columns to their widest cell and shows an empty one as -', () => {
  const table = formatTable(
    [
      { title: 'name', cell: (row: { name: string; packets: bigint }) => row.name },
      { title: 'packets', align: 'right', cell: (row) => row.packets },
    ],
    [
      { name: 'default/web', packets: 7n },
      { name: '', packets: 12345678n },
    ],
  )
  assert.equal(table, ['NAME          PACKETS', 'default/web         7', '-            12345678', ''].join('\n'))
})
