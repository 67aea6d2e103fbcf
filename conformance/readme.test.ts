/**
 * The READMEs hold what they say. Settings, links, scripts, error codes and file names in them are compared with the code, so that a
 * page that has fallen behind fails here before a newcomer finds out.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { HUB_PREFIX, HUB_SETTINGS } from '../hub/config.ts'
import { NODE_PREFIX, NODE_SETTINGS } from '../node/config.ts'
import { describeEnvironment } from '../runtime/environment.ts'
import { AGENT_PREFIX, AGENT_SETTINGS } from '../runtime/keys/config.ts'
import { ERRORS } from '../schemas/errors.ts'
import { LAUNCHER_PREFIX, LAUNCHER_SETTINGS } from './federation/config.ts'
import { SAMPLES_PREFIX, SAMPLES_SETTINGS } from './samples/config.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDERS = ['schemas', 'runtime', 'adapters', 'hub', 'node', 'console', 'conformance']
/** Campaigns have a page of their own inside `conformance/`. */
const CAMPAIGNS = ['simulate', 'chaos', 'bench']
  .map(name => `conformance/${name}`)
  .filter(folder => existsSync(join(ROOT, folder, 'README.md')))
const PAGES = ['README.md', 'CHANGELOG.md', ...[...FOLDERS, ...CAMPAIGNS].map(folder => `${folder}/README.md`)]

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8')
const unique = (texts: readonly string[]): string[] => [...new Set(texts)].sort()
/** The first group of every match. */
const found = (text: string, pattern: RegExp): string[] => unique([...text.matchAll(pattern)].flatMap(match => match[1] ?? []))

const PROGRAMS = [
  { heading: '### Launcher (`npm start`)', rows: describeEnvironment(LAUNCHER_PREFIX, LAUNCHER_SETTINGS) },
  { heading: '### Hub (`hub/main.ts`)', rows: describeEnvironment(HUB_PREFIX, HUB_SETTINGS) },
  { heading: '### Node (`node/main.ts`)', rows: describeEnvironment(NODE_PREFIX, NODE_SETTINGS) },
  { heading: '### Signing agent (`runtime/keys/main.ts`)', rows: describeEnvironment(AGENT_PREFIX, AGENT_SETTINGS) },
  {
    heading: '### Sample trading systems (`conformance/samples/main.ts`)',
    rows: describeEnvironment(SAMPLES_PREFIX, SAMPLES_SETTINGS),
  },
]
const SETTINGS = PROGRAMS.flatMap(({ rows }) => rows.map(row => row.split('`')[1] ?? ''))

/** The lines under a heading, up to the next one. */
const section = (heading: string): string[] => {
  const lines = read('README.md').split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) return []
  const end = lines.findIndex((line, index) => index > start && line.startsWith('#'))
  return lines.slice(start + 1, end < 0 ? undefined : end)
}

describe('the configuration table of the README', () => {
  test.each(PROGRAMS)('has the rows of the reader and no other under "$heading"', ({ heading, rows }) => {
    expect(rows.length).toBeGreaterThan(0)
    expect(section(heading).filter(line => line.startsWith('| `'))).toEqual(rows)
  })
})

describe.each(PAGES)('%s', page => {
  const text = read(page)
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')
  const links = found(prose, /\]\(([^)\s]+)\)/g).filter(target => !/^[a-z]+:/.test(target))

  test('links to files that exist, and to headings of its own', () => {
    const headings = found(text, /^#+ (.+)$/gm).map(
      heading =>
        `#${heading
          .toLowerCase()
          .replaceAll(/[^\p{L}\d\s-]/gu, '')
          .replaceAll(' ', '-')}`,
    )
    const broken = links.filter(target =>
      target.startsWith('#') ? !headings.includes(target) : !existsSync(join(ROOT, dirname(page), target.replace(/#.*/, ''))),
    )
    expect(broken).toEqual([])
  })

  test('names only settings that a reader knows', () => {
    expect(found(text, /\b(HUTONG_[A-Z_]*[A-Z])\b/g).filter(name => !SETTINGS.includes(name))).toEqual([])
  })

  test('names only scripts that package.json has', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { readonly [name: string]: string } }
    const named = [...found(text, /\bnpm run (?:-s |--silent )?([a-z][a-z:-]*)/g), ...found(text, /\bnpm (start|test)\b/g)]
    expect(named.filter(name => !Object.hasOwn(scripts, name))).toEqual([])
  })

  test('names only error codes of the table', () => {
    const families = new Set(Object.keys(ERRORS).map(code => code.split('_')[0]))
    const codes = found(text, /`([A-Z]+(?:_[A-Z]+)+)`/g).filter(
      name => families.has(name.split('_')[0]) && !SETTINGS.includes(name),
    )
    expect(codes.filter(code => !Object.hasOwn(ERRORS, code))).toEqual([])
  })
})

describe('the READMEs together', () => {
  test('lead to every folder of the house', () => {
    const links = found(read('README.md'), /\]\(([^)\s]+)\)/g)
    expect(FOLDERS.filter(folder => !links.includes(`${folder}/README.md`))).toEqual([])
  })

  test('are read by these tests, wherever they stand', () => {
    const standing = globSync('{*,*/*,*/*/*}/README.md', { cwd: ROOT, exclude: ['node_modules', '.hutong', '.git'] })
    expect(standing.filter(page => !PAGES.includes(page))).toEqual([])
    expect(standing).toHaveLength(FOLDERS.length + CAMPAIGNS.length)
  })

  test('have links, settings, scripts and codes for these tests to judge', () => {
    const all = PAGES.map(read).join('\n')
    expect(found(all, /\]\(([^)\s]+)\)/g).length).toBeGreaterThan(50)
    expect(found(all, /\b(HUTONG_[A-Z_]*[A-Z])\b/g).length).toBeGreaterThan(20)
    expect(found(all, /\bnpm run (?:-s |--silent )?([a-z][a-z:-]*)/g).length).toBeGreaterThan(3)
    expect(found(all, /`([A-Z]+(?:_[A-Z]+)+)`/g).filter(code => Object.hasOwn(ERRORS, code)).length).toBeGreaterThan(10)
  })
})
