/**
 * Signatures, seals and encrypted bids over HTTP: judged here with the trust lists and revocation lists that this node holds, without
 * asking anybody. Nothing is signed, sealed or decrypted: private keys stay in the device.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { formatProblem } from '../../runtime/http/problems.ts'
import { isDateTime } from '../../schemas/dates.ts'
import { ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { publishedDocuments } from '../../schemas/interfaces/documents.ts'
import {
  type Batch,
  type Digested,
  type EncryptionBody,
  INTERFACE_LIMITS,
  type OutlookBody,
  REQUESTS,
  type SealItem,
  type SignatureItem,
} from '../../schemas/interfaces/requests.ts'
import { type Certificate, parseCertificate } from '../../schemas/trust/certificate.ts'
import { certificatesOf } from '../../schemas/trust/certificate-files.ts'
import type { CertificateQuery, Judge } from '../../schemas/trust/checks.ts'
import { isHolder, parseSignedData } from '../../schemas/trust/cms.ts'
import { type Content, verifySignedData } from '../../schemas/trust/cms-verification.ts'
import { type EnvelopedData, parseEnvelopedData } from '../../schemas/trust/enveloped-data.ts'
import { holderId } from '../../schemas/trust/holder.ts'
import { encryptionCertificatesFor, outlookOfMessage, type PairRule } from '../../schemas/trust/opening-outlook.ts'
import { verifyRawSignature } from '../../schemas/trust/raw-signature.ts'
import { parseSeal, parseSealSignature, verifySeal, verifySealSignature } from '../../schemas/trust/seal.ts'
import { type CaProfile, DEFAULT_PROFILE } from '../../schemas/trust/trust-list.ts'
import { verifyCertificate } from '../../schemas/trust/verification.ts'
import { answerOf, type Certificates, type Verified } from './certificates.ts'
import {
  type AnswerFinding,
  messageAnswer,
  outlookAnswer,
  rawAnswer,
  sealAnswer,
  sealSignatureAnswer,
} from './signature-answers.ts'
import type { TrustTables } from './tables.ts'

const tags = ['trust']
/** certificates of one holder that are looked at */
const KNOWN_MOST = 64

const bytesOf = (text: string, what: string): Buffer => {
  const bytes = Buffer.from(text, 'base64')
  if (bytes.length === 0 || bytes.toString('base64') !== text.replace(/\s+/g, ''))
    throw new ExchangeError('REQUEST_INVALID', `${what}: expected base64 with its padding`)
  return bytes
}
const timeOf = (text: string | undefined, now: Date, what = 'at'): number => {
  if (text === undefined) return now.getTime()
  if (!isDateTime(text)) throw new ExchangeError('REQUEST_INVALID', `${what}: expected a time by RFC 3339 with offset`)
  return Date.parse(text)
}
/** @throws CERTIFICATE_MALFORMED */
const certificateOf = (text: string): Certificate => {
  const [der, ...more] = certificatesOf(Buffer.from(text, 'latin1'))
  if (der === undefined || more.length > 0) throw new ExchangeError('CERTIFICATE_MALFORMED', 'expected one certificate')
  return parseCertificate(der)
}
const certificatesIn = (texts: readonly string[] | undefined): Certificate[] => (texts ?? []).map(certificateOf)

function contentOf(bytes: string | undefined, digest: Digested | undefined, what: string): { readonly content?: Content } {
  if (bytes !== undefined && digest !== undefined) throw new ExchangeError('REQUEST_INVALID', `expected either ${what} or digest`)
  if (bytes !== undefined) return { content: { bytes: bytesOf(bytes, what) } }
  return digest === undefined
    ? {}
    : { content: { digest: { algorithm: digest.algorithm, value: Buffer.from(digest.value, 'hex') } } }
}

export function addSignatureRoutes(
  server: FastifyInstance,
  options: {
    readonly certificates: Pick<Certificates, 'verify' | 'held'>
    /** whether certificates are verified here for others */
    readonly serves: boolean
    readonly db: Kysely<TrustTables>
    readonly clock: () => Date
  },
): void {
  const { certificates, db, clock } = options

  const serving = (): void => {
    if (!options.serves)
      throw new ExchangeError(
        'CERTIFICATE_SERVICE_OFF',
        'expected a node that is set to serve certificates (HUTONG_NODE_CERTIFICATES=serve)',
      )
  }

  /** Lists that came with a message count for this question alone, if their signature holds. */
  function verdictOn({ leaf, at, purpose, intermediates, crls }: CertificateQuery): Pick<Verified, 'verdict' | 'answer'> {
    if (crls.length === 0)
      return certificates.verify({ der: leaf.der, intermediates: intermediates.map(({ der }) => der), at, purpose })
    const held = certificates.held()
    const verdict = verifyCertificate({ leaf, intermediates, at, purpose }, { ...held, crls: [...held.crls, ...crls] })
    return { verdict, answer: answerOf(leaf, verdict) }
  }
  const judge: Judge<AnswerFinding> = query => {
    const { verdict, answer } = verdictOn(query)
    return { result: verdict.result, reason: verdict.reason, answer }
  }

  /** What the trust list says of the authority above a certificate. */
  function profileOf(leaf: Certificate, at: number, purpose: 'sign' | 'encrypt'): CaProfile {
    const { ca } = certificates.verify({ der: leaf.der, at, purpose }).verdict
    const listed = ca === null ? undefined : certificates.held().trust.byFingerprint.get(ca.fingerprint)
    return listed?.[0]?.service.profile ?? DEFAULT_PROFILE
  }

  function verifySignature(item: SignatureItem): object {
    const at = timeOf(item.at, clock())
    const known = certificatesIn(item.intermediates)
    const purpose = item.purpose ?? 'sign'
    const content = contentOf(item.content, item.digest, 'content')
    const signature = bytesOf(item.signature, 'signature')
    const sm2Id = (signer: Certificate): string => profileOf(signer, at, 'sign').signerId
    if (item.kind === 'cms') {
      const signers = item.certificate === undefined ? [] : [certificateOf(item.certificate)]
      const message = parseSignedData(signature)
      return messageAnswer(verifySignedData({ message, ...content, at, judge, known: [...signers, ...known], purpose, sm2Id }))
    }
    if (item.certificate === undefined || content.content === undefined)
      throw new ExchangeError('REQUEST_INVALID', 'expected a bare signature with its certificate, and its content or digest')
    const { algorithm, form } = item
    return rawAnswer(
      verifyRawSignature({
        certificate: certificateOf(item.certificate),
        intermediates: known,
        content: content.content,
        signature,
        ...(algorithm === undefined ? {} : { algorithm }),
        ...(form === undefined ? {} : { form }),
        at,
        judge,
        purpose,
        sm2Id,
      }),
    )
  }

  function verifyASeal(item: SealItem): object {
    const at = timeOf(item.at, clock())
    const intermediates = certificatesIn(item.intermediates)
    const sm2Id = (signer: Certificate): string => profileOf(signer, at, 'sign').signerId
    const bytes = bytesOf(item.seal, 'seal')
    const { content } = contentOf(item.document, item.digest, 'document')
    if (item.kind === 'seal') {
      const seal = parseSeal(bytes)
      return sealAnswer(seal, verifySeal({ seal, at, judge, intermediates, sm2Id }))
    }
    const signature = parseSealSignature(bytes)
    const document = content === undefined ? {} : { document: content }
    return sealSignatureAnswer(signature, verifySealSignature({ signature, at, judge, intermediates, sm2Id, ...document }))
  }

  /** Items one by one, other requests between them; one that cannot be read is answered for by itself. */
  async function each<Item>(
    { items, ...single }: Batch<Item>,
    first: keyof Item & string,
    id: string,
    verify: (item: Item) => object,
  ) {
    serving()
    const alone = (single as Partial<Item>)[first] !== undefined
    if (alone === (items !== undefined)) throw new ExchangeError('REQUEST_INVALID', `expected either ${first} or items`)
    if (items === undefined) return verify(single as Item)
    const answers: object[] = []
    for (const item of items) {
      try {
        answers.push(verify(item))
      } catch (error) {
        if (!isExchangeError(error)) throw error
        answers.push({ problem: formatProblem(error, id) })
      }
      await turn()
    }
    return { items: answers }
  }

  const config = { access: { operation: 'signature.verify' } } as const
  const bodyLimit = INTERFACE_LIMITS.signatureBodyBytes
  server.post<{ Body: Batch<SignatureItem> }>(
    '/v1/signatures/verify',
    {
      config,
      bodyLimit,
      schema: {
        summary: 'Whether a signature, or each of several, is good, whose it is, and why',
        tags,
        body: REQUESTS.signatures,
      },
    },
    ({ body, id }) => each(body, 'signature', id, item => verifySignature({ ...item, kind: kindOf(item) })),
  )

  server.post<{ Body: Batch<SealItem> }>(
    '/v1/seals/verify',
    {
      config,
      bodyLimit,
      schema: { summary: 'Whether an electronic seal, or a signature made with one, is good, and why', tags, body: REQUESTS.seals },
    },
    ({ body, id }) => each(body, 'seal', id, item => verifyASeal({ ...item, kind: kindOf(item) })),
  )

  /** Of a single question the schema cannot ask for it: it stands beside `items`. */
  function kindOf<Kind extends string>({ kind }: { readonly kind: Kind }): Kind {
    if (kind === undefined) throw new ExchangeError('REQUEST_INVALID', 'kind: expected what it is that is handed in')
    return kind
  }

  /** Certificates that were brought in: those that the recipients name, and the others of the same holders. */
  async function knownFor({ recipients }: EnvelopedData): Promise<Certificate[]> {
    const holders = recipients.map(({ holder }) => holder).filter(holder => holder !== null)
    const serials = holders.flatMap(holder => (holder.kind === 'issuer-serial' ? [holder.serial] : []))
    if (serials.length === 0) return []
    const rows = await db
      .selectFrom('certificate')
      .select(['der', 'holder'])
      .where('serial', 'in', serials)
      .limit(KNOWN_MOST)
      .execute()
    const named = rows.filter(({ der }) => holders.some(holder => isHolder(holder, parseCertificate(der))))
    const ids = named.flatMap(({ holder }) => (holder === null ? [] : [holder]))
    return [...named.map(({ der }) => parseCertificate(der)), ...(await certificatesHeldBy(ids))]
  }

  async function certificatesHeldBy(holders: readonly string[]): Promise<Certificate[]> {
    if (holders.length === 0) return []
    const rows = await db
      .selectFrom('certificate')
      .select('der')
      .where('holder', 'in', holders)
      .where('key_use', 'in', ['encrypt', 'both'])
      .orderBy('not_before', 'desc')
      .limit(KNOWN_MOST)
      .execute()
    return rows.map(({ der }) => parseCertificate(der))
  }

  const pairOf =
    (at: number) =>
    (certificate: Certificate): PairRule =>
      profileOf(certificate, at, 'encrypt').pair

  server.post<{ Body: OutlookBody }>(
    '/v1/bids/outlook',
    {
      config: { access: { operation: 'certificate.read' } },
      bodyLimit: INTERFACE_LIMITS.outlookBodyBytes,
      schema: {
        summary: 'Whether an encrypted bid will open at a time, before it is handed in, and what it hangs on',
        tags,
        body: REQUESTS.outlook,
      },
    },
    async ({ body }) => {
      serving()
      const now = clock()
      const opensAt = timeOf(body.opens_at, now, 'opens_at')
      const message = parseEnvelopedData(bytesOf(body.envelope, 'envelope'), { partial: true })
      const known = [...certificatesIn(body.certificates), ...(await knownFor(message))]
      const at = now.getTime()
      return outlookAnswer(outlookOfMessage({ message, known, now: at, opensAt, judge, pair: pairOf(at) }))
    },
  )

  server.post<{ Body: EncryptionBody }>(
    '/v1/certificates/encryption',
    {
      config: { access: { operation: 'certificate.read' } },
      bodyLimit: INTERFACE_LIMITS.outlookBodyBytes,
      schema: {
        summary: "The encryption certificates of a signing certificate's holder in force at a time, the newest first",
        tags,
        body: REQUESTS.encryption,
      },
    },
    async ({ body }) => {
      serving()
      const at = timeOf(body.at, clock())
      const signing = certificateOf(body.certificate)
      const { verdict } = certificates.verify({ der: signing.der, at, purpose: 'sign' })
      const id = verdict.holder === null ? null : holderId(verdict.holder)
      const known = [...certificatesIn(body.certificates), ...(await certificatesHeldBy(id === null ? [] : [id]))]
      const unique = [...new Map(known.map(one => [one.fingerprint, one])).values()]
      const found = encryptionCertificatesFor(signing, unique, at, pairOf(at)(signing))
      return {
        items: found.map(one => ({
          certificate: Buffer.from(one.der).toString('base64'),
          verdict: judge({ leaf: one, at, purpose: 'encrypt', intermediates: [], crls: [] }).answer,
        })),
      }
    },
  )

  const documents = publishedDocuments()
  const published = { access: { operation: 'openapi.read' } } as const
  server.get(
    '/v1/interfaces',
    {
      config: published,
      schema: { summary: 'The unified interface: each operation and event, offered or refused with a reason', tags },
    },
    () => documents.catalogue,
  )
  server.get(
    '/v1/interfaces/openapi.json',
    { config: published, schema: { summary: 'The operations of the unified interface as OpenAPI', tags } },
    () => documents.openapi,
  )
  server.get(
    '/v1/interfaces/asyncapi.json',
    { config: published, schema: { summary: 'The events of the unified interface as AsyncAPI', tags } },
    () => documents.asyncapi,
  )
}
