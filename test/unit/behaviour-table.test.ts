// SPDX-License-Identifier: Apache-2.0
/** docs/behaviour.md names tests as proof: they exist, in the column of their kind. */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'

const root = dirname(dirname(import.meta.dirname))

/** Which folders of test/ the last three columns name. */
const columns = [['unit'], ['bpf', 'fuzz'], ['lab', 'kube']] as const

interface Row {
  readonly behaviour: string
  /** Cells of the columns above. */
  readonly proofs: readonly string[]
}

function readRows(): Row[] {
  const lines = readFileSync(join(root, 'docs/behaviour.md'), 'utf8').split('\n')
  // Pipes in code are escaped in a table.
  const cells = lines.filter((line) => line.startsWith('|')).map((line) => line.split(/(?<!\\)\|/).slice(1, -1))
  const rows = cells.filter((row) => !/^\s*(behaviour|-+)\s*$/.test(row[0] ?? ''))
  return rows.map((row) => {
    assert.equal(row.length, 6, row.join('|'))
    const [behaviour = '', ...rest] = row.map((cell) => cell.trim())
    return { behaviour, proofs: rest.slice(2) }
  })
}

/** Titles of tests and suites, and the names in their tables; `…` in the place of what a run fills in. */
function titlesOf(file: string): Set<string> {
  const source = readFileSync(file, 'utf8')
  const titles = source.matchAll(/(?:\b(?:test|describe|name)\(|\bname:)\s*(?:'((?:\\.|[^'])*)'|"([^"]*)"|`([^`]*)`)/g)
  return new Set([...titles].map((found) => (found[1] ?? found[2] ?? found[3] ?? '').replace(/\$\{[^}]*\}/g, '…')))
}

const rows = readRows()

test('docs/behaviour.md has a table whose rows each name a test', () => {
  assert.ok(rows.length > 30)
  for (const { behaviour, proofs } of rows) {
    assert.ok(
      proofs.every((proof) => proof === '–' || proof.startsWith('`')),
      `${behaviour}: every cell names tests, or is –`,
    )
    assert.ok(
      proofs.some((proof) => proof !== '–'),
      `${behaviour}: no test shows it`,
    )
  }
})

describe('docs/behaviour.md names tests that exist', () => {
  for (const { behaviour, proofs } of rows) {
    test(behaviour, () => {
      for (const [index, proof] of proofs.entries()) {
        for (const [, path = '', title = ''] of proof.matchAll(/`([\w/-]+): ([^`]+)`/g)) {
          const folder = path.split('/')[0]
          assert.ok(
            columns[index]!.some((name) => name === folder),
            `${path} stands in the column of ${columns[index]!.join(' and ')}`,
          )
          const file = join(root, 'test', `${path}.test.ts`)
          assert.ok(existsSync(file), `test/${path}.test.ts does not exist`)
          assert.ok(titlesOf(file).has(title), `test/${path}.test.ts has no test '${title}'`)
        }
        const named = proof.split('`').filter((_, at) => at % 2 === 1)
        assert.ok(
          named.every((text) => /^[\w/-]+: ./.test(text)),
          `${proof}: expected \`folder/file: title\``,
        )
      }
    })
  }
})
