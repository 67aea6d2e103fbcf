/**
 * `bench verify`: records a second that one core opens, from the bytes of a batch of 500 to checked records, without database and
 * broker. The limit reads the same bytes once as JSON, hashes them once, and checks one bare signature over the same token.
 */
import { createHash, generateKeyPairSync, sign, verify } from 'node:crypto'
import { CompactSign, type CryptoKey, compactVerify, importJWK } from 'jose'
import { digestOf } from '../../schemas/digest.ts'
import { encodeBody } from '../../schemas/encoding.ts'
import { sealEnvelope } from '../../schemas/envelope.ts'
import { parseMembership } from '../../schemas/membership.ts'
import { openBytes, openRecords, openToken } from '../../schemas/opening.ts'
import { createSigner } from '../../schemas/tokens.ts'
import { type Figure, figure } from './figures.ts'
import { BATCH_ROWS, candidates } from './rows.ts'
import { ORIGIN } from './stage.ts'

const MEASURE_MS = 500

/** Turns a second: median-free here, the pairs give the spread. */
async function rate(work: () => Promise<unknown> | unknown): Promise<number> {
  const since = performance.now()
  let turns = 0
  while (performance.now() - since < MEASURE_MS) {
    await work()
    turns += 1
  }
  return (turns / (performance.now() - since)) * 1000
}

export async function benchVerify({
  pairs,
  progress,
}: {
  readonly pairs: number
  readonly progress: (text: string) => void
}): Promise<Figure[]> {
  const pair = generateKeyPairSync('ed25519')
  const jwk = pair.publicKey.export({ format: 'jwk' })
  const kid = 'bench'
  const text = JSON.stringify({
    fed: 'bench-1',
    position: 0,
    hub: { keys: [{ kid: 'hub', x: generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x }] },
    members: [{ ...ORIGIN, keys: [{ kid, x: jwk.x }] }],
  })
  const membership = await parseMembership(text)
  const privateKey = (await importJWK(pair.privateKey.export({ format: 'jwk' }), 'Ed25519')) as CryptoKey
  const publicKey = (await importJWK(jwk, 'Ed25519')) as CryptoKey
  const signer = createSigner(kid, 'Ed25519', privateKey)
  const records = candidates(1, BATCH_ROWS).map(candidate => ({ ...candidate, ver: 1 }))
  const log = { origin: ORIGIN.code, dataset: 'entity', audience: 'all' }
  const head = { epoch: 1, seq: 0, digest: digestOf('opening') }
  const context = { fed: 'bench-1', mem: 0, signer, now: new Date(), salt: 'A'.repeat(22) }
  const { token, body } = await sealEnvelope(log, head, records, context)
  if (body === null) throw new Error('expected an envelope with a body')
  const sent = await encodeBody(body)
  const signature = sign(null, Buffer.from(token), pair.privateKey)
  const whole = await new CompactSign(body).setProtectedHeader({ alg: 'Ed25519' }).sign(privateKey)

  const rows: { readonly [name: string]: () => Promise<unknown> | unknown } = {
    token: () => openToken('envelope', token, membership, null),
    jose: () => compactVerify(token, publicKey, { algorithms: ['Ed25519'] }),
    crypto: () => verify(null, Buffer.from(token), pair.publicKey, signature),
    batch: async () => {
      const opened = await openToken('envelope', token, membership, null)
      if (opened.claims === null) throw new Error('expected claims')
      const { records: read } = openRecords(opened.claims, await openBytes(opened.claims, sent.bytes, sent.encoding))
      if (read.length !== BATCH_ROWS) throw new Error(`expected ${BATCH_ROWS} records, got ${read.length}`)
    },
    plain: () => {
      verify(null, Buffer.from(token), pair.publicKey, signature)
      createHash('sha256').update(body).digest()
      JSON.parse(body.toString('utf8'))
    },
    joseWhole: async () => JSON.parse(new TextDecoder().decode((await compactVerify(whole, publicKey)).payload)),
    inflate: () => openBytes({ dig: digestOf(body) }, sent.bytes, sent.encoding),
  }
  const measured = new Map<string, number[]>()
  for (const [name, work] of Object.entries(rows)) await rate(work).then(() => measured.set(name, []))
  for (let turn = 0; turn < pairs; turn += 1) {
    for (const [name, work] of Object.entries(rows)) measured.get(name)?.push(await rate(work))
    progress(`verify: pair ${turn + 1} of ${pairs}`)
  }
  const of = (name: string, times = 1): number[] => (measured.get(name) ?? []).map(value => value * times)
  const bytes = `${body.length} bytes plain, ${sent.bytes.length} as sent (${sent.encoding})`
  return [
    figure(
      'verify a token, checks included',
      'tokens/s',
      of('token'),
      { name: 'bare Ed25519 of node:crypto over the same bytes', values: of('crypto') },
      [`jose compactVerify alone ${Math.round(of('jose')[0] ?? 0)}/s`],
    ),
    figure(
      'verify a batch of 500',
      'records/s',
      of('batch', BATCH_ROWS),
      { name: 'one signature, one hash, JSON.parse', values: of('plain', BATCH_ROWS) },
      [bytes],
    ),
    figure('verify a batch of 500, against jose around the whole batch', 'records/s', of('batch', BATCH_ROWS), {
      name: 'jose compactVerify of a token that holds the batch, JSON.parse',
      values: of('joseWhole', BATCH_ROWS),
    }),
    figure('verify: decode and digest of the body alone', 'records/s', of('inflate', BATCH_ROWS), {
      name: 'one signature, one hash, JSON.parse',
      values: of('plain', BATCH_ROWS),
    }),
  ]
}
