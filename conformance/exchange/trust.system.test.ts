import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { contentOf } from '../../node/trust/list-operator.ts'
import { keptPort } from '../../runtime/loopback-port.ts'
import type { TrustListClaims } from '../../schemas/generated/trust-list.ts'
import { type Evidence, verifyEvidence } from '../../schemas/trust/evidence.ts'
import { fingerprintOf } from '../../schemas/trust/fingerprint.ts'
import { sealTrustList } from '../../schemas/trust/trust-list.ts'
import { createSampleCa, derOf, hasOpenssl, type SampleCa } from './sample-ca.ts'
import { sharedData } from './shared-data.ts'
import { ask, eventually, field, startTestbed, type Testbed } from './testbed.ts'
import { authority, type CrlHost, importFiles, publish, SINCE, startCrlHost, verify } from './trust-ground.ts'

const OWN = '530000'
const OTHER = '520000'

let bed: Testbed
let home: string
let ca: SampleCa
let host: CrlHost
let deltas: CrlHost
let leaf: ReturnType<SampleCa['issue']>

const readyAt = async (code: string) => {
  const answer = await fetch(`${bed.node(code).url}/health/ready`)
  const { checks } = (await answer.json()) as { checks: { name: string; ok: boolean; reason?: string }[] }
  return checks.find(({ name }) => name === 'trust') ?? null
}
/** The answer of a check is kept for a second. */
const untilReady = (code: string) =>
  eventually(
    'readiness',
    () => readyAt(code),
    check => check?.ok === true,
  )
const listAt = async (code: string) => (await ask(bed, code, '/v1/trust-lists')).body
const resultAt = async (code: string, more: object = {}) => {
  const { body } = await verify(bed, code, leaf, more)
  return { result: field(body, 'result'), reason: field(body, 'reason') }
}
const sequenceAt = async (code: string) => field(await listAt(code), 'lists', 0, 'sequence')

describe.skipIf(!hasOpenssl())('trust between provinces', () => {
  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'hutong-trust-'))
    host = await startCrlHost()
    ca = createSampleCa(home, '云南示例 CA', 'SM2')
    deltas = await startCrlHost()
    leaf = ca.issue('云南示例建设有限公司', {
      extensions: ['1.2.156.10260.4.4=ASN1:UTF8:91530100MA6K00001A', `crlDistributionPoints=URI:${host.url}`],
    })
    bed = await startTestbed(1, { nodeSettings: { HUTONG_NODE_CERTIFICATES: 'serve', HUTONG_NODE_CRL_LOOPBACK: 'allow' } })
  })
  afterAll(async () => {
    await bed?.[Symbol.asyncDispose]()
    await host?.[Symbol.asyncDispose]()
    await deltas?.[Symbol.asyncDispose]()
    rmSync(home, { recursive: true, force: true })
  })

  it('a node that serves certificates and holds no list is not ready, and says what is missing', async () => {
    expect(await readyAt(OTHER)).toMatchObject({ ok: false, reason: 'no trust list is held here' })
    expect(await resultAt(OTHER)).toEqual({ result: 'unchecked', reason: 'TRUST_ANCHORS_MISSING' })
  })

  const fetchLists = (code: string) => ask(bed, code, '/v1/revocation-lists', {})

  it('a list published at one node makes its certificates good at another, once their revocation lists are had', async () => {
    expect((await publish(bed, OWN, [authority('云南示例 CA', OWN, ca, { crl: [host.url, deltas.url] })])).status).toBe(201)
    await eventually(
      'the list',
      () => sequenceAt(OTHER),
      sequence => sequence === 1,
    )
    expect(field((await fetchLists(OTHER)).body, 'crls', 0, 'problem')).toMatch(/^CRL_UNAVAILABLE/)
    expect(await resultAt(OTHER)).toEqual({ result: 'unchecked', reason: 'REVOCATION_UNKNOWN' })
    host.serve(ca.crl([], { number: 4 }))
    await fetchLists(OTHER)
    const { body } = await verify(bed, OTHER, leaf)
    expect(body).toMatchObject({
      result: 'good',
      holder: { kind: 'organisation', uscc: '91530100MA6K00001A' },
      ca: { region: OWN, operator: OWN, status: 'granted' },
      province: { code: OWN, zh: '云南省' },
      chain: [{ fingerprint: fingerprintOf(leaf.der) }, { fingerprint: fingerprintOf(ca.der) }],
      lists: [{ id: OWN, sequence: 1, fresh: true }],
    })
    await untilReady(OTHER)
  })

  it('a revocation list that has not changed is not sent again, and what is older, damaged or not the authority’s is not taken', async () => {
    // The other nodes ask there as well, each by its own clock.
    const before = host.counts().unchanged
    await fetchLists(OTHER)
    expect(host.counts().unchanged).toBeGreaterThan(before)
    const problemOf = async () => {
      const { crls } = (await fetchLists(OTHER)).body as {
        crls: { source: string; problem: string | null; number: string | null }[]
      }
      const found = crls.find(({ source }) => source === host.url)
      return [found?.problem?.split(':')[0] ?? null, found?.number ?? null]
    }
    for (const [bytes, code] of [
      [ca.crl([], { number: 3 }), 'CRL_OLDER'],
      [Buffer.from('no list'), 'CRL_MALFORMED'],
      [createSampleCa(home, '云南示例 CA', 'SM2').crl([], { number: 5 }), 'CRL_SIGNER_UNKNOWN'],
    ] as const) {
      host.serve(bytes)
      expect(await problemOf()).toEqual([code, '4'])
      expect(await resultAt(OTHER)).toEqual({ result: 'good', reason: 'GOOD' })
    }
  })

  it('a delta signed with SM2 revokes, and a later one takes it back', async () => {
    const revoking = ca.crl([leaf.serial], { number: 5, delta: 4 })
    deltas.serve(revoking)
    await fetchLists(OTHER)
    expect(await resultAt(OTHER)).toEqual({ result: 'bad', reason: 'REVOKED' })
    host.serve(ca.crl([], { number: 6 }))
    deltas.serve(ca.crl([], { number: 7, delta: 6 }))
    await fetchLists(OTHER)
    expect(await resultAt(OTHER)).toEqual({ result: 'good', reason: 'GOOD' })
  })

  it('evidence bears the verdict out with no program and no network, and nothing of it can be changed', async () => {
    const path = `/v1/certificates/${fingerprintOf(leaf.der)}/evidence`
    const exported = await eventually(
      'evidence with the proof of the log and a witness',
      async () => {
        await verify(bed, OTHER, leaf)
        return (await ask(bed, OTHER, path)).body
      },
      body => Number(field(body, 'lists', 0, 'proof', 'until')) >= 1 && field(body, 'lists', 0, 'witnesses', 0) !== undefined,
      60_000,
    )
    const trust = { anchors: [], membership: bed.membership }
    const found = await verifyEvidence(Buffer.from(JSON.stringify(exported)), trust)
    expect(found).toMatchObject({ valid: true, verdict: { result: 'good', reason: 'GOOD' } })
    expect(found.checks.filter(({ verdict }) => verdict !== 'passed')).toEqual([])
    const evidence = exported as unknown as Evidence
    const [list] = evidence.lists
    const [, ...others] = list?.proof?.path ?? []
    const changes: readonly Partial<Evidence>[] = [
      { crls: [] },
      { lists: [] },
      { verdict: { result: 'bad', reason: 'REVOKED' } },
      { certificate: ca.der.toString('base64') },
      { lists: evidence.lists.map(one => ({ ...one, proof: { seq: 1, until: 1, path: ['A'.repeat(43), ...others] } })) },
      { lists: evidence.lists.map(one => ({ ...one, body: Buffer.from('{}').toString('base64') })) },
    ]
    for (const change of changes)
      expect(await verifyEvidence(Buffer.from(JSON.stringify({ ...evidence, ...change })), trust)).toMatchObject({ valid: false })
  })

  it('refuses an authority outside the territory of the member', async () => {
    const { status, body } = await publish(bed, OWN, [authority('贵州示例 CA', OTHER, ca)])
    expect({ status, code: field(body, 'code') }).toEqual({ status: 403, code: 'TERRITORY_FOREIGN' })
  })

  it('answers with hub and neighbours gone, after a restart too', async () => {
    await bed.stopHub()
    await bed.stopNode(OWN)
    await bed.stopNode(OTHER)
    await bed.startNode(OTHER)
    expect(await resultAt(OTHER)).toEqual({ result: 'good', reason: 'GOOD' })
    await untilReady(OTHER)
    await bed.startHub()
    await bed.startNode(OWN)
  })

  it('an older issue never replaces a newer one, whoever signed it, and stands among the refused', async () => {
    expect((await publish(bed, OWN, [authority('云南示例 CA', OWN, ca, { crl: [host.url, deltas.url] })])).status).toBe(201)
    await eventually(
      'the second issue',
      () => sequenceAt(OTHER),
      sequence => sequence === 2,
    )
    const token = String(field((await ask(bed, OWN, `/v1/trust-lists/${OWN}`)).body, 'token'))
    const claims = {
      fed: bed.membership.fed,
      iss: OWN,
      lst: OWN,
      mem: bed.membership.position,
      iat: 1,
      LoTE: contentOf(token),
    } as TrustListClaims
    const older = structuredClone(claims)
    older.LoTE.ListAndSchemeInformation.LoTESequenceNumber = 1
    const sealed = await sealTrustList(older, await bed.signer(OWN))
    const body = {
      list_id: OWN,
      territory: OWN,
      sequence: 1,
      issued_at: older.LoTE.ListAndSchemeInformation.ListIssueDateTime,
      next_update: older.LoTE.ListAndSchemeInformation.NextUpdate,
      list: sealed,
    }
    await bed
      .nodeDb(OTHER)
      .updateTable('replica_trust' as never)
      .set({ ver: 99, body: JSON.stringify(body) } as never)
      .execute()
    await eventually(
      'the refusal',
      () => listAt(OTHER),
      list => field(list, 'refused', 0, 'code') === 'TRUST_LIST_OLDER',
    )
    expect(await sequenceAt(OTHER)).toBe(2)
    expect(await resultAt(OTHER)).toEqual({ result: 'good', reason: 'GOOD' })
  })

  it('a withdrawn authority is withdrawn everywhere, and what was signed before stays as it was', async () => {
    const since = new Date(Date.now() - 1000)
    const withdrawn = authority('云南示例 CA', OWN, ca, {
      status: 'withdrawn',
      since,
      why: { zh: '许可注销', en: 'licence ended' },
      crl: [host.url, deltas.url],
    })
    // the database was given another record by the test before: the next issue is a later version all the same
    await bed
      .nodeDb(OTHER)
      .updateTable('replica_trust' as never)
      .set({ ver: 2 } as never)
      .execute()
    const { status, body } = await publish(bed, OWN, [withdrawn])
    expect({ status, sequence: field(body, 'sequence') }).toEqual({ status: 201, sequence: 3 })
    await eventually(
      'the withdrawal',
      () => resultAt(OTHER),
      ({ reason }) => reason === 'CA_WITHDRAWN',
    )
    expect(await resultAt(OTHER)).toEqual({ result: 'bad', reason: 'CA_WITHDRAWN' })
    expect(await resultAt(OTHER, { at: new Date(since.getTime() - 1000).toISOString() })).toEqual({
      result: 'good',
      reason: 'GOOD',
    })
    expect(field((await ask(bed, OTHER, `/v1/trust-lists/${OWN}`)).body, 'services', 0, 'history')).toMatchObject([
      { status: 'withdrawn', from: since.toISOString() },
      { status: 'granted', from: SINCE.toISOString() },
    ])
  })

  it('a service that stood may not vanish from the next issue', async () => {
    const { status, body } = await publish(bed, OWN, [])
    expect({ status, code: field(body, 'code') }).toEqual({ status: 409, code: 'TRUST_LIST_HISTORY_LOST' })
  })

  it('a batch answers for each, and one that cannot be read by itself', async () => {
    const certificate = leaf.der.toString('base64')
    const { body } = await ask(bed, OTHER, '/v1/certificates/verify', { items: [{ certificate }, { certificate: 'AAAA' }] })
    expect(body).toMatchObject({ items: [{ result: 'bad' }, { problem: { code: 'CERTIFICATE_MALFORMED' } }] })
  })

  it('brings the national authorities in: trusted under the root, of unknown issuer, and a damaged file aside', async () => {
    const folder = sharedData('trust/cn-national')
    if (folder === null) return
    const names = (await readdir(folder)).filter(name => /\.(crt|pem)$/.test(name)).sort()
    const files = await Promise.all(names.map(async place => ({ place, bytes: await readFile(join(folder, place)) })))
    const root = files.find(({ place }) => place.endsWith('.pem'))
    const rootDer = derOf(root?.bytes.toString('latin1') ?? '')
    const damaged = Buffer.from(files[0]?.bytes ?? [])
    damaged.fill(0x20, 40, 80)
    const { lines, sum } = await importFiles(
      bed,
      OTHER,
      [...files, { place: 'damaged.crt', bytes: damaged }],
      [fingerprintOf(rootDer)],
    )
    const under = lines.filter(line => line.result === 'good' && line.fingerprint !== fingerprintOf(rootDer))
    expect(under).toHaveLength(17)
    expect(lines.filter(line => line.reason === 'ISSUER_UNKNOWN')).toHaveLength(3)
    expect(sum).toMatchObject({ rows: 22, quarantined: 1, imported: 21 })
    const aside = await ask(bed, OTHER, '/v1/quarantine?kind=row')
    expect(field(aside.body, 'items', 0)).toMatchObject({ place: 'damaged.crt', code: 'CERTIFICATE_MALFORMED' })
    const again = await importFiles(bed, OTHER, files, [fingerprintOf(rootDer)])
    expect(again.sum).toMatchObject({ imported: 0, unchanged: 21, quarantined: 0 })
  })

  it('an import whose node is killed in the middle begins again and doubles nothing', async () => {
    const many = Array.from({ length: 1200 }, (_, index) => {
      const bytes = Buffer.from(leaf.der)
      // Each another certificate, none of them signed: what is tested is the work, not the verdict.
      bytes.writeUInt32BE(index, bytes.length - 4)
      return { place: `row ${index}`, bytes }
    })
    const held = async () => {
      const found = bed.nodeDb(OTHER).selectFrom('certificate').where('kind', '=', 'end')
      return Number((await found.select(({ fn }) => fn.countAll().as('count')).executeTakeFirst())?.count ?? 0)
    }
    await bed.stopNode(OTHER)
    const port = await keptPort(join(home, 'port'))
    const env = { ...bed.nodeEnvironment(OTHER), HUTONG_NODE_HTTP_PORT: String(port), HUTONG_NODE_LOG_LEVEL: 'silent' }
    const child = spawn(process.execPath, [join(import.meta.dirname, '../../node/main.ts')], {
      env,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const url = `http://127.0.0.1:${port}`
    await eventually(
      'the node',
      () =>
        fetch(`${url}/health/live`).then(
          one => one.ok,
          () => false,
        ),
      Boolean,
      60_000,
    )
    const answer = await fetch(`${url}/v1/certificates`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await bed.token(OTHER)}`, 'content-type': 'application/x-ndjson' },
      body: many.map(({ place, bytes }) => `${JSON.stringify({ place, data: bytes.toString('base64') })}\n`).join(''),
    })
    await answer.body?.getReader().read()
    child.kill('SIGKILL')
    await once(child, 'exit')
    const before = await held()
    expect(before).toBeGreaterThan(0)
    expect(before).toBeLessThan(1200)
    await bed.startNode(OTHER)
    const { sum } = await importFiles(bed, OTHER, many)
    expect(sum).toMatchObject({ rows: 1200, imported: 1200 - before, unchanged: before })
    expect(await held()).toBe(1200)
  })
})
