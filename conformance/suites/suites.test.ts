import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it, test } from 'vitest'
import type { ErrorCode } from '../../schemas/errors.ts'
import { sharedData } from '../exchange/shared-data.ts'
import { runConformance } from '../program.ts'
import type { SuiteResult } from './suite.ts'

const folders: string[] = []
afterAll(() => Promise.all(folders.map(folder => rm(folder, { recursive: true }))))

/** A folder with these files. */
async function folderOf(files: { readonly [name: string]: unknown }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hutong-suites-'))
  folders.push(folder)
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return folder
}

type Said = { readonly code: number; readonly out: string; readonly err: string }

async function run(...args: string[]): Promise<Said> {
  let [out, err] = ['', '']
  const code = await runConformance(args, { out: { write: text => (out += text) }, err: { write: text => (err += text) } })
  return { code, out, err }
}
async function runJson(name: string, path: string): Promise<SuiteResult & { readonly code: number }> {
  const { code, out } = await run('suite', name, path, '--json')
  return { ...(JSON.parse(out) as SuiteResult), code }
}
const wrong = ({ cases }: SuiteResult): unknown[] =>
  cases
    .filter(({ expected, got }) => got !== 'not-applicable' && got !== expected)
    .map(({ id, got, reason }) => ({ id, got, reason }))

/** Which rules set cases of the shared data aside, and which the standard makes the product refuse although they are to be accepted. */
const SHARED = [
  {
    name: 'limbo',
    data: 'x509/limbo-2023-12.json',
    rules: ['web-pki'],
    // RFC 9525 §6: a host is named by a dNSName, and its only alternative name is a directoryName
    left: [{ id: 'rfc5280::nc::permitted-dn-match', got: 'refused', reason: 'PEER_NAME_MISMATCH: dns' }],
  },
  { name: 'pkits', data: 'x509/pkits', rules: [], left: [] },
  {
    name: 'jws',
    data: 'jose/json_web_signature_valid.json',
    rules: [],
    // RFC 7515 §2 and §5.2: base64url without any additional characters
    left: ['372', '373'].map(id => ({ id, got: 'refused', reason: 'TOKEN_MALFORMED' })),
  },
  { name: 'merkle', data: 'tlog', rules: [], left: [] },
]

describe.each(SHARED)('the suite $name', ({ name, data, rules, left }) => {
  const path = sharedData(data)
  test.skipIf(path === null)('comes out as it expects, but for what the standard refuses', { timeout: 60_000 }, async () => {
    const result = await runJson(name, path ?? '')
    expect(wrong(result)).toEqual(left)
    expect(result.code).toBe(left.length === 0 ? 0 : 1)
    expect(result.totals).toMatchObject({ wronglyAccepted: 0, wronglyRefused: left.length })
    expect(result.totals.right).toBeGreaterThan(40)
    const aside = result.cases.filter(({ got }) => got === 'not-applicable').map(({ reason }) => reason.split(':')[0])
    expect([...new Set(aside)].sort()).toEqual(rules)
  })
})

const leaf = 'bjQLnP+zepicpUTmu3gKLHiQHT+zNzh2hRGjBhevoB0='
const proof = { leafIdx: 0, treeSize: 1, root: leaf, leafHash: leaf, proof: null, wantErr: false }

describe('conformance suite', () => {
  it('prints the one shape of a result as JSON, with the suite’s own ids', async () => {
    const folder = await folderOf({ 'inclusion/good.json': proof, 'inclusion/bad.json': { ...proof, treeSize: 2 } })
    expect(await runJson('merkle', folder)).toEqual({
      code: 1,
      suite: 'merkle',
      cases: [
        { id: 'inclusion/bad.json', expected: 'accepted', got: 'refused', reason: expect.any(String), ms: expect.any(Number) },
        { id: 'inclusion/good.json', expected: 'accepted', got: 'accepted', reason: expect.any(String), ms: expect.any(Number) },
      ],
      totals: { right: 1, wronglyAccepted: 0, wronglyRefused: 1, notApplicable: 0, slowestMs: expect.any(Number) },
    })
  })

  it('takes one file as well as a folder', async () => {
    const folder = await folderOf({ 'good.json': proof })
    expect((await runJson('merkle', join(folder, 'good.json'))).cases.map(({ id }) => id)).toEqual(['good.json'])
  })

  it('shows people the wrong cases, and all of them when asked, in Chinese and English', async () => {
    const folder = await folderOf({ 'good.json': proof, 'bad.json': { ...proof, wantErr: true } })
    const said = await run('suite', 'merkle', folder)
    expect(said.code).toBe(1)
    expect(said.out).toContain('bad.json')
    expect(said.out).toContain('误接受 wrongly accepted')
    expect(said.out).not.toContain('good.json')
    expect((await run('suite', 'merkle', folder, '--all')).out).toContain('good.json')
  })

  it('ends with 2 when it is used wrongly', async () => {
    expect((await run('suite', 'nothing', '.')).code).toBe(2)
    expect((await run('suite', 'merkle')).code).toBe(2)
    expect((await run()).code).toBe(2)
    expect((await run('--help')).code).toBe(0)
  })

  it.each<[string, { readonly [name: string]: unknown }, ErrorCode]>([
    ['merkle', { 'proof.json': '{"leafIdx": ' }, 'SUITE_MALFORMED'],
    ['merkle', { 'proof.json': { leafIdx: 0 } }, 'SUITE_MALFORMED'],
    ['merkle', {}, 'SUITE_MALFORMED'],
    ['jws', { 'jws.json': { testGroups: [{ tests: [{ tcId: 1 }] }] } }, 'SUITE_MALFORMED'],
    ['jws', { 'jws.json': [] }, 'SUITE_MALFORMED'],
    ['limbo', { 'limbo.json': { testcases: [{ id: 'a::b' }] } }, 'SUITE_MALFORMED'],
    [
      'limbo',
      { 'limbo.json': { testcases: [{ id: 'a::b', expected_result: 'FAILURE', validation_time: 'soon' }] } },
      'SUITE_MALFORMED',
    ],
    ['sm2', { 'manifest.json': [{ id: 'one', leaf: 'leaf.pem', expected: 'perhaps' }] }, 'SUITE_MALFORMED'],
    ['pkits', { 'vectors.json': [] }, 'SUITE_MALFORMED'],
    ['pkits', { 'vectors.json': [{ Name: 'one' }] }, 'SUITE_FILE_MISSING'],
    ['pkits', {}, 'SUITE_FILE_MISSING'],
  ])('says by its code what is wrong with a damaged suite: %s %j', async (name, files, code) => {
    const said = await run('suite', name, await folderOf(files), '--json')
    expect(said).toMatchObject({ code: 1, out: '' })
    expect(said.err).toContain(`(${code})`)
  })

  it('says so when there is nothing at the path', async () => {
    expect((await run('suite', 'limbo', join(tmpdir(), 'hutong-nothing-here'))).err).toContain('(SUITE_FILE_MISSING)')
  })
})

describe('a case that does not apply', () => {
  const limboCase = (id: string, features: readonly string[]): object => ({ id, features, expected_result: 'FAILURE', later: 1 })
  it('is set aside by a rule about what the suite says of it', async () => {
    const testcases = [
      limboCase('webpki::san::no-san', []),
      limboCase('rfc5280::one', ['pedantic-webpki-eku']),
      limboCase('rfc5280::two', ['pedantic-public-suffix-wildcard']),
      limboCase('rfc5280::three', ['no-cert-policies']),
      limboCase('rfc5280::four', ['of-tomorrow']),
      limboCase('rfc5280::five', ['has-crl', 'max-chain-depth']),
    ]
    const { cases, totals } = await runJson('limbo', await folderOf({ 'limbo.json': { version: 1, testcases } }))
    expect(cases.map(({ got, reason }) => `${got} ${reason.split(':')[0]}`)).toEqual([
      'not-applicable web-pki',
      'not-applicable web-pki',
      'not-applicable public-suffix',
      'not-applicable policies-unsupported',
      'not-applicable feature-unknown',
      'refused CERTIFICATE_MALFORMED',
    ])
    expect(totals).toMatchObject({ right: 1, notApplicable: 5 })
  })

  it('counts neither as right nor as wrong, and a case whose files are absent is one', async () => {
    const vectors = [{ Name: 'absent', CertPath: ['a.crt', 'b.crt'], CRLPath: [], ShouldValidate: false }]
    const folder = await folderOf({ 'vectors.json': vectors, 'certs/a.crt': 'x', 'crls/a.crl': 'x' })
    expect(await runJson('pkits', folder)).toMatchObject({ code: 0, totals: { right: 0, notApplicable: 1 } })
  })
})
