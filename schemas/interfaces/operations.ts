/**
 * The operations of the unified interface as they are published: where each is, what it is asked and what it answers, with an example of
 * both. Answers are open: a later version may say more.
 */
import { REASONS } from '../trust/reasons.ts'
import { REQUESTS } from './requests.ts'

type Schema = { readonly [keyword: string]: unknown }
type Json = unknown

/** Who answers: a node, the login of a node, or the program at the holder's own machine. */
export const SERVERS = {
  node: { url: 'https://node.example', description: 'A node of the federation. 联盟节点' },
  login: { url: 'https://login.example', description: 'The login of a node: its OpenID Connect issuer. 节点的统一登录' },
  signer: { url: 'http://127.0.0.1:17421', description: 'The signer at the machine of the holder. 持有人本机签名程序' },
} as const

export type InterfaceOperation = {
  readonly id: string
  readonly method: 'get' | 'post'
  readonly path: string
  readonly server: keyof typeof SERVERS
  readonly en: string
  readonly zh: string
  readonly query?: readonly { readonly name: string; readonly required: boolean; readonly schema: Schema; readonly example: Json }[]
  readonly request?: { readonly schema: Schema; readonly example: Json }
  readonly status: string
  readonly answer?: { readonly schema: Schema; readonly example: Json }
}

const text = { type: 'string' } as const
const textOrNull = { type: ['string', 'null'] } as const
const open = (required: readonly string[], properties: { readonly [name: string]: Schema }): Schema => ({
  type: 'object',
  required,
  properties,
})
const list = (items: Schema): Schema => ({ type: 'array', items })

/** How every verdict begins. */
const DECISION = {
  result: { description: 'unchecked: it cannot be told now.', type: 'string', enum: ['good', 'bad', 'unchecked'] },
  reason: { description: 'Stable code; others may follow.', ...text },
  said: open(['en', 'zh'], { en: text, zh: text }),
  clause: text,
} as const
const DECIDED = Object.keys(DECISION)
const CHECKS = list(
  open(['check', 'clause', 'result', 'reason'], { check: text, clause: text, result: DECISION.result, reason: text }),
)

const HOLDER = {
  type: ['object', 'null'],
  required: ['kind'],
  properties: {
    kind: { type: 'string', enum: ['organisation', 'person'] },
    uscc: textOrNull,
    pseudonym: textOrNull,
    name: textOrNull,
  },
} as const
const CERTIFICATE_VERDICT = open([...DECIDED, 'at', 'purpose', 'fingerprint', 'holder'], {
  ...DECISION,
  detail: text,
  at: text,
  purpose: text,
  fingerprint: text,
  serial: text,
  subject: textOrNull,
  not_before: text,
  not_after: text,
  key_use: { type: 'string', enum: ['sign', 'encrypt', 'both', 'none'] },
  holder: HOLDER,
  ca: { type: ['object', 'null'] },
  province: { type: ['object', 'null'] },
  chain: list({ type: 'object' }),
  steps: list({ type: 'object' }),
  revocation: list({ type: 'object' }),
})
const ITEM_PROBLEM = open(['problem'], { problem: { $ref: '#/components/schemas/Problem' } })
const oneOrMany = (one: Schema): Schema => ({
  anyOf: [one, open(['items'], { items: list({ anyOf: [one, ITEM_PROBLEM] }) })],
})
const SIGNER = open([...DECIDED, 'checks', 'certificate'], {
  ...DECISION,
  checks: CHECKS,
  certificate: { anyOf: [CERTIFICATE_VERDICT, { type: 'null' }] },
  signing_time: { description: 'As the signer wrote it down: a claim.', ...textOrNull },
  algorithm: textOrNull,
})
const SIGNATURE_VERDICT = open([...DECIDED, 'kind', 'detached', 'signers'], {
  ...DECISION,
  kind: { type: 'string', enum: ['cms', 'raw'] },
  detached: { type: 'boolean' },
  content_type: textOrNull,
  signers: list(SIGNER),
})
const SEAL_VERDICT = open([...DECIDED, 'kind', 'checks', 'seal'], {
  ...DECISION,
  kind: { type: 'string', enum: ['seal', 'seal-signature'] },
  checks: CHECKS,
  seal: open(['edition', 'version', 'id'], { edition: text, version: { type: 'integer' }, id: text, name: textOrNull }),
  maker: { type: ['object', 'null'] },
  signer: { type: ['object', 'null'] },
  sealed_at: textOrNull,
  time_proven: { description: 'Whether a good timestamp stands for the time.', type: 'boolean' },
  timestamp: { type: ['object', 'null'] },
  document_digest: text,
})
const OUTLOOK = open([...DECIDED, 'recipients', 'content_algorithm'], {
  ...DECISION,
  content_algorithm: textOrNull,
  recipients: list(open([...DECIDED, 'checks'], { ...DECISION, checks: CHECKS, serial: textOrNull, key_algorithm: textOrNull })),
})

const decided = (reason: keyof typeof REASONS) => {
  const { result, clause, en, zh } = REASONS[reason]
  return { result, reason, said: { en, zh }, clause }
}
const PEM = '-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n'
const FINGERPRINT = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const certificateExample = {
  ...decided('GOOD'),
  detail: '',
  at: '2026-11-24T01:00:00.000Z',
  purpose: 'sign',
  fingerprint: FINGERPRINT,
  serial: '1001',
  subject: '示例建设公司',
  not_before: '2026-01-01T00:00:00.000Z',
  not_after: '2029-01-01T00:00:00.000Z',
  key_use: 'sign',
  holder: { kind: 'organisation', uscc: '915200003224456695', pseudonym: null, name: '示例建设公司' },
  ca: null,
  province: { code: '520000', zh: '贵州省' },
  chain: [],
  steps: [],
  revocation: [],
}
const good = (check: string, clause: string) => ({ check, clause, result: 'good', reason: 'GOOD' })
const signerExample = {
  ...decided('GOOD'),
  checks: [good('message-digest', 'RFC 5652 §11.2'), good('signature', 'RFC 5652 §5.6')],
  certificate: certificateExample,
  signing_time: '2026-11-24T00:59:00.000Z',
  algorithm: 'sm2-sm3',
}

export const INTERFACE_OPERATIONS: readonly InterfaceOperation[] = [
  {
    id: 'verifyCertificate',
    method: 'post',
    path: '/v1/certificates/verify',
    server: 'node',
    en: 'Whether a certificate, or each of several, is good for a purpose at a time, who holds it, and why',
    zh: '核验证书：在某时刻对某用途是否有效、由谁持有、理由何在',
    request: { schema: REQUESTS.certificates, example: { certificate: PEM, purpose: 'sign', at: '2026-11-24T09:00:00+08:00' } },
    status: '200',
    answer: { schema: oneOrMany(CERTIFICATE_VERDICT), example: certificateExample },
  },
  {
    id: 'findEncryptionCertificate',
    method: 'post',
    path: '/v1/certificates/encryption',
    server: 'node',
    en: 'The encryption certificates of the holder of a signing certificate, by the pair rule of its authority',
    zh: '按机构的双证规则，由签名证书查找持有人的加密证书',
    request: { schema: REQUESTS.encryption, example: { certificate: PEM } },
    status: '200',
    answer: {
      schema: open(['items'], {
        items: list(open(['certificate', 'verdict'], { certificate: text, verdict: CERTIFICATE_VERDICT })),
      }),
      example: { items: [{ certificate: 'MIIB…', verdict: { ...certificateExample, purpose: 'encrypt', key_use: 'encrypt' } }] },
    },
  },
  {
    id: 'listTrustLists',
    method: 'get',
    path: '/v1/trust-lists',
    server: 'node',
    en: 'The trust lists held, each with its five checks',
    zh: '查询信任列表及其五项检查',
    status: '200',
    answer: {
      schema: open(['ready', 'lists'], { ready: { type: 'boolean' }, lists: list({ type: 'object' }) }),
      example: { ready: true, trouble: null, lists: [{ id: '520000', sequence: 7, territory: '520000' }], refused: [], crls: [] },
    },
  },
  {
    id: 'verifySignature',
    method: 'post',
    path: '/v1/signatures/verify',
    server: 'node',
    en: 'Whether a signed message or a bare signature, or each of several, is good, whose it is, and why',
    zh: '验证签名消息或裸签名：是否有效、由谁签署、理由何在',
    request: { schema: REQUESTS.signatures, example: { kind: 'cms', signature: 'MIIC…', content: '5oqV5qCH5paH5Lu2' } },
    status: '200',
    answer: {
      schema: oneOrMany(SIGNATURE_VERDICT),
      example: {
        kind: 'cms',
        ...decided('GOOD'),
        check: null,
        detached: true,
        content_type: '1.2.156.10197.6.1.4.2.1',
        signers: [signerExample],
      },
    },
  },
  {
    id: 'verifySeal',
    method: 'post',
    path: '/v1/seals/verify',
    server: 'node',
    en: 'Whether an electronic seal, or a signature made with one, is good, and why',
    zh: '验证电子印章或电子签章：是否有效、理由何在',
    request: {
      schema: REQUESTS.seals,
      example: {
        kind: 'seal-signature',
        seal: 'MIIF…',
        digest: { algorithm: 'SM3', value: '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0' },
      },
    },
    status: '200',
    answer: {
      schema: oneOrMany(SEAL_VERDICT),
      example: {
        kind: 'seal-signature',
        ...decided('SEAL_EXPIRED'),
        check: 'validity',
        checks: [{ check: 'validity', clause: 'GB/T 38540 §6.1.3 d)', result: 'bad', reason: 'SEAL_EXPIRED' }],
        seal: { edition: 'GB/T 38540-2020', version: 4, id: '52000000000001', name: '示例建设公司公章' },
        maker: certificateExample,
        signer: certificateExample,
        sealed_at: '2026-11-20T02:00:00.000Z',
        time_proven: false,
        timestamp: null,
        document_digest: '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0',
      },
    },
  },
  {
    id: 'foreseeOpening',
    method: 'post',
    path: '/v1/bids/outlook',
    server: 'node',
    en: 'Whether an encrypted bid will open at a time, before it is handed in, and what it hangs on',
    zh: '投标文件提交前预检：开标时能否解密、取决于什么',
    request: {
      schema: REQUESTS.outlook,
      example: { envelope: 'MIIB…', certificates: [PEM], opens_at: '2026-12-14T09:30:00+08:00' },
    },
    status: '200',
    answer: {
      schema: OUTLOOK,
      example: {
        ...decided('RECIPIENT_KEY_REPLACED'),
        check: 'replacement',
        content_algorithm: 'sm4-cbc',
        recipients: [
          {
            ...decided('RECIPIENT_KEY_REPLACED'),
            check: 'replacement',
            checks: [good('recipient', 'RFC 5652 §6.2')],
            serial: '1002',
            key_algorithm: 'sm2',
          },
        ],
      },
    },
  },
  {
    id: 'login',
    method: 'get',
    path: '/authorize',
    server: 'login',
    en: 'Logs a holder in with a certificate (OpenID Connect, authorization code with PKCE); any client library does it',
    zh: '证书登录（OpenID Connect 授权码模式，PKCE），任何标准客户端库均可接入',
    query: [
      { name: 'response_type', required: true, schema: { type: 'string', const: 'code' }, example: 'code' },
      { name: 'client_id', required: true, schema: text, example: 'sample-trading-system' },
      { name: 'redirect_uri', required: true, schema: text, example: 'https://trading.example/signed-in' },
      { name: 'scope', required: true, schema: text, example: 'openid organisation province' },
      { name: 'code_challenge', required: true, schema: text, example: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM' },
      { name: 'code_challenge_method', required: true, schema: { type: 'string', const: 'S256' }, example: 'S256' },
      { name: 'state', required: false, schema: text, example: 'af0ifjsldkj' },
    ],
    status: '303',
  },
  {
    id: 'listSignerCertificates',
    method: 'get',
    path: '/v1/certificates',
    server: 'signer',
    en: 'The certificates that the holder’s own signer offers, signing certificates alone; a vendor’s script offers the same at window.hutongSigner',
    zh: '本机签名程序所列的签名证书；厂商脚本在 window.hutongSigner 提供相同功能',
    status: '200',
    answer: {
      schema: open(['certificates'], { certificates: list(open(['certificate', 'label'], { certificate: text, label: text })) }),
      example: { certificates: [{ certificate: 'MIIB…', label: '示例建设公司' }] },
    },
  },
  {
    id: 'signLoginStatement',
    method: 'post',
    path: '/v1/signatures',
    server: 'signer',
    en: 'Signs a login statement, and nothing else, once the holder agrees; a vendor’s script does the same at window.hutongSigner',
    zh: '经持有人同意，对登录声明（且仅对登录声明）签名；厂商脚本在 window.hutongSigner 提供相同功能',
    request: {
      schema: open(['statement'], { statement: text, certificate: text }),
      example: { statement: 'hutong-login-1\n…', certificate: 'MIIB…' },
    },
    status: '200',
    answer: {
      schema: open(['certificate', 'algorithm', 'signature'], {
        certificate: text,
        algorithm: text,
        signature: text,
        chain: list(text),
      }),
      example: { certificate: 'MIIB…', algorithm: 'SM2SM3', signature: 'MEUC…', chain: [] },
    },
  },
  {
    id: 'readInterfaces',
    method: 'get',
    path: '/v1/interfaces',
    server: 'node',
    en: 'This catalogue: each operation and event, offered or refused with a reason',
    zh: '本接口目录：各项操作与事件，提供与否及理由',
    status: '200',
    answer: {
      schema: open(['version', 'operations', 'events'], {
        version: text,
        operations: list({ type: 'object' }),
        events: list({ type: 'object' }),
      }),
      example: {
        version: '1.0.0',
        operations: [{ id: 'seal.verify', offered: 'verifySeal' }],
        events: [{ id: 'trust-list.issued' }],
      },
    },
  },
]
