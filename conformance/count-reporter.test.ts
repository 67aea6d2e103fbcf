import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const REPORTER = fileURLToPath(new URL('./count-reporter.ts', import.meta.url))
const VITEST = fileURLToPath(new URL('../node_modules/vitest/vitest.mjs', import.meta.url))

/** The last line that a run over these test files prints. */
const lastLine = (files: { readonly [name: string]: string }): string | undefined => {
  const folder = mkdtempSync(join(tmpdir(), 'hutong-reporter-'))
  try {
    const config = `import { CountReporter } from ${JSON.stringify(REPORTER)}
      export default { test: { globals: true, reporters: ['default', new CountReporter()] } }`
    writeFileSync(join(folder, 'vitest.config.ts'), config)
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')))
    const { stdout } = spawnSync(process.execPath, [VITEST, 'run', '--root', folder], {
      encoding: 'utf8',
      env: { ...env, NO_COLOR: '1' },
    })
    return stdout.trimEnd().split('\n').at(-1)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.each([
  ['all passed', { 'a.test.ts': `test('x', () => {}); test('y', () => {})` }, '2 passed, 0 failed'],
  [
    'failed and skipped tests beside passed ones, over several files',
    {
      // a sample for the reporter to count, which no run of ours skips
      'a.test.ts': `test('x', () => {}); test.skip('y', () => {}); test.todo('z')`,
      'b.test.ts': `test('x', () => { throw new Error('no') })`,
    },
    '1 passed, 1 failed, 2 skipped',
  ],
  [
    'a file that cannot be loaded',
    { 'a.test.ts': `throw new Error('no')`, 'b.test.ts': `test('x', () => {})` },
    '1 passed, 1 failed',
  ],
  [
    'a hook after the last test that throws',
    { 'a.test.ts': `afterAll(() => { throw new Error('no') }); test('x', () => {})` },
    '1 passed, 1 failed',
  ],
  [
    'an error outside every test',
    {
      'a.test.ts': `test('x', async () => { setTimeout(() => { throw new Error('no') }); await new Promise(r => setTimeout(r, 50)) })`,
    },
    '1 passed, 1 failed',
  ],
  ['no test file at all', {}, '0 passed, 1 failed'],
])('the last line tells of %s', { timeout: 60_000 }, (_, files, expected) => {
  expect(lastLine(files)).toBe(expected)
})
