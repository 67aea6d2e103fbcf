/**
 * The rules of the house bite. Each forbidden line is written into a copy of the house and given to the linter with the project's
 * own configuration, which has to refuse it under the stated rule; each allowed line has to pass. A rule that is switched off, or
 * whose pattern no longer matches, fails here and not one year later.
 */
import { execFile } from 'node:child_process'
import { cp, glob, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const BIOME = join(ROOT, 'node_modules/@biomejs/biome/bin/biome')
const FOLDERS = ['schemas', 'runtime', 'adapters', 'hub', 'node', 'console', 'conformance']

const RESTRICTED = 'lint/style/noRestrictedImports'
const CYCLE = 'lint/suspicious/noImportCycles'

/** What each folder may import, from the design: everything else in the house is forbidden to it. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  schemas: [],
  runtime: ['schemas'],
  adapters: ['schemas'],
  hub: ['schemas', 'runtime'],
  node: ['schemas', 'runtime', 'adapters'],
  // the terminal stands on runtime too
  console: ['schemas', 'runtime'],
  conformance: ['schemas', 'runtime', 'adapters', 'hub', 'node', 'console'],
}

type Sample = { readonly name: string; readonly file: string; readonly text: string; readonly rule: string | undefined }

const importSamples: readonly Sample[] = FOLDERS.flatMap(from =>
  FOLDERS.filter(to => to !== from).flatMap(to => {
    const rule = MAY_IMPORT[from]?.includes(to) ? undefined : RESTRICTED
    const target = `'../../${to}/room/thing.ts'`
    return [
      {
        name: `${from} → ${to}`,
        file: `${from}/room/import-${to}.ts`,
        text: `import { thing } from ${target}\nexport const held = thing\n`,
        rule,
      },
      {
        name: `${from} → ${to}, types only`,
        file: `${from}/room/type-${to}.ts`,
        text: `import type { Thing } from ${target}\nexport type Held = Thing\n`,
        rule,
      },
      {
        name: `${from} → ${to}, exported on`,
        file: `${from}/room/export-${to}.ts`,
        text: `export { thing } from ${target}\n`,
        rule,
      },
      {
        name: `${from} → ${to}, at run time`,
        file: `${from}/room/late-${to}.ts`,
        text: `export const late = () => import(${target})\n`,
        rule,
      },
    ]
  }),
)

const folderSamples: readonly Sample[] = FOLDERS.flatMap(folder => {
  const sample = (name: string, file: string, text: string, rule: string | undefined): Sample => ({
    name: `${folder}: ${name}`,
    file: `${folder}/room/${file}.ts`,
    text,
    rule,
  })
  return [
    sample('its own neighbour', 'own', `import { thing } from './thing.ts'\nexport const own = thing\n`, undefined),
    sample('a package', 'package', `import { jwtVerify } from 'jose'\nexport const verify = jwtVerify\n`, undefined),
    sample('a main.ts', 'main-import', `import { run } from '../main.ts'\nexport const ran = run\n`, RESTRICTED),
    sample('an index.ts', 'index-import', `import { all } from './index.ts'\nexport const every = all\n`, RESTRICTED),
    sample('a default export', 'default', `export default 7\n`, 'lint/style/noDefaultExport'),
    sample(
      'a promise left alone',
      'floating',
      `const work = async () => 7\nexport const start = () => {\n  work()\n}\n`,
      'lint/nursery/noFloatingPromises',
    ),
    // a sample that the linter must refuse
    sample('any', 'any', `export const loose = (value: any) => value\n`, 'lint/suspicious/noExplicitAny'),
    sample('a non-null assertion', 'non-null', `export const sure = (value?: string) => value!\n`, 'lint/style/noNonNullAssertion'),
    sample('the console', 'console', `export const say = () => console.log('x')\n`, 'lint/suspicious/noConsole'),
    sample(
      'an import without extension',
      'bare',
      `import { thing } from './thing'\nexport const bare = thing\n`,
      'lint/correctness/useImportExtensions',
    ),
    sample(
      'Node.js without its protocol',
      'protocol',
      `import { join } from 'path'\nexport const path = join\n`,
      'lint/style/useNodejsImportProtocol',
    ),
    sample(
      'what the recommended rules refuse',
      'preset',
      `export const stop = () => {\n  debugger\n}\n`,
      'lint/suspicious/noDebugger',
    ),
    sample('one half of a cycle', 'cycle-a', `import { b } from './cycle-b.ts'\nexport const a = (): unknown => b\n`, CYCLE),
    sample('the other half', 'cycle-b', `import { a } from './cycle-a.ts'\nexport const b = (): unknown => a\n`, CYCLE),
    sample('one half of a cycle of types', 'type-a', `import type { B } from './type-b.ts'\nexport type A = { b?: B }\n`, CYCLE),
    sample('the other half, of types', 'type-b', `import type { A } from './type-a.ts'\nexport type B = { a?: A }\n`, CYCLE),
  ]
})

const SAMPLES = [...importSamples, ...folderSamples]

const lint = async (folder: string): Promise<Map<string, string[]>> => {
  const options = ['lint', '--config-path', folder, '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', folder]
  const run = promisify(execFile)(process.execPath, [BIOME, ...options], { maxBuffer: 2 ** 26 })
  const { stdout } = await run.catch((failed: { stdout: string }) => failed)
  const found = new Map<string, string[]>()
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { severity: string; category: string; location: { path: string } }[]
  }
  for (const { severity, category, location } of diagnostics)
    if (severity === 'error')
      found.set(location.path.slice(folder.length + 1), [...(found.get(location.path.slice(folder.length + 1)) ?? []), category])
  return found
}

describe('the linter', () => {
  let folder = ''
  let found = new Map<string, string[]>()
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hutong-house-'))
    await cp(join(ROOT, 'biome.json'), join(folder, 'biome.json'))
    const things = FOLDERS.map(one => ({
      file: `${one}/room/thing.ts`,
      text: 'export const thing = 7\nexport type Thing = typeof thing\n',
    }))
    for (const { file, text } of [...SAMPLES, ...things]) {
      await mkdir(dirname(join(folder, file)), { recursive: true })
      await writeFile(join(folder, file), text)
    }
    found = await lint(folder)
  }, 60_000)
  afterAll(() => rm(folder, { recursive: true }))

  test.each(SAMPLES.filter(({ rule }) => rule !== undefined))('refuses $name', ({ file, rule }) => {
    expect(found.get(file)).toContain(rule)
  })

  test.each(SAMPLES.filter(({ rule }) => rule === undefined))('accepts $name', ({ file }) => {
    expect(found.get(file)).toBeUndefined()
  })
})

describe('the tree', () => {
  const sources = async (): Promise<string[]> =>
    Array.fromAsync(glob(`{${FOLDERS.join(',')}}/**/*.{ts,js,mjs,cjs,tsx}`, { cwd: ROOT }))

  test('has no file or folder whose name says nothing', async () => {
    const files = await sources()
    expect(files.length).toBeGreaterThan(10)
    const empty = /^(index|utils?|helpers?|common|misc|shared|manager)(\.|$)/
    expect(files.filter(file => file.split('/').some(part => empty.test(part)))).toEqual([])
  })

  test('is TypeScript in kebab-case', async () => {
    const odd = (await sources()).filter(
      file => !/^([a-z0-9]+(-[a-z0-9]+)*\/)+[a-z0-9]+(-[a-z0-9]+)*(\.(test|suite|system\.test|d))?\.ts$/.test(file),
    )
    expect(odd).toEqual([])
  })

  test('switches no lint rule off in a source file', async () => {
    const marker = ['biome', 'ignore'].join('-')
    const files = await sources()
    const texts = await Promise.all(files.map(async file => ({ file, text: await readFile(join(ROOT, file), 'utf8') })))
    expect(
      texts.filter(({ text }) => text.includes(marker) || /@ts-(ignore|nocheck|expect-error)/.test(text)).map(({ file }) => file),
    ).toEqual([])
  })
})

describe('the packages', () => {
  const read = async (name: string): Promise<{ [name: string]: unknown }> => JSON.parse(await readFile(join(ROOT, name), 'utf8'))

  test('are pinned to exact versions', async () => {
    const { dependencies, devDependencies, optionalDependencies, overrides } = await read('package.json')
    const versions = Object.entries({
      ...(dependencies as object),
      ...(devDependencies as object),
      ...(optionalDependencies as object),
      ...(overrides as object),
    })
    expect(versions.length).toBeGreaterThan(10)
    expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/.test(version as string))).toEqual([])
  })

  test('are locked by digest and not by the address they came from', async () => {
    const { packages } = await read('package-lock.json')
    const locked = Object.entries(packages as { [path: string]: { resolved?: string; integrity?: string } }).filter(
      ([path]) => path !== '',
    )
    expect(locked.length).toBeGreaterThan(10)
    expect(locked.filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
    expect(locked.filter(([, { integrity }]) => !integrity?.startsWith('sha512-')).map(([path]) => path)).toEqual([])
  })
})
