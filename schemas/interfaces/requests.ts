/**
 * What the unified interface is asked, as JSON Schemas: the routes check requests by them and the published documents show them, so that
 * neither says what the other does not. Binary values are base64 of DER, certificates PEM or base64 of DER.
 */

import { PURPOSES } from '../trust/purposes.ts'

/** A batch is answered item by item; what is larger is refused before it is read. */
export const INTERFACE_LIMITS = {
  items: 64,
  intermediates: 16,
  certificates: 64,
  certificateCharacters: 400_000,
  /** base64 of a message, with the content that it carries */
  messageCharacters: 22 * 1024 * 1024,
  signatureBodyBytes: 24 * 1024 * 1024,
  /** the beginning of an encrypted message: recipients and algorithms stand there */
  envelopeCharacters: 1024 * 1024,
  outlookBodyBytes: 4 * 1024 * 1024,
} as const

type Schema = { readonly [keyword: string]: unknown }

const described = (description: string, zh: string, schema: Schema): Schema => ({ description, 'x-zh': zh, ...schema })
const closed = (required: readonly string[], properties: { readonly [name: string]: Schema }): Schema => ({
  type: 'object',
  additionalProperties: false,
  required,
  properties,
})
const message = { type: 'string', minLength: 1, maxLength: INTERFACE_LIMITS.messageCharacters } as const

export const certificateText = described('Certificate: PEM, or base64 of DER.', '证书：PEM，或 DER 的 base64。', {
  type: 'string',
  minLength: 1,
  maxLength: INTERFACE_LIMITS.certificateCharacters,
})
const intermediates = described('Certificates that may stand above it.', '可能的上级证书。', {
  type: 'array',
  maxItems: INTERFACE_LIMITS.intermediates,
  items: certificateText,
})
const at = described('Time that is asked about, with offset; now unless said.', '所询时刻，带时区偏移；未注明则为当前。', {
  type: 'string',
  maxLength: 35,
})
const digest = described('Digest of what was signed, hexadecimal.', '被签内容的摘要，十六进制。', {
  ...closed(['algorithm', 'value'], {
    algorithm: { type: 'string', minLength: 1, maxLength: 64 },
    value: { type: 'string', pattern: '^([0-9A-Fa-f]{2}){16,64}$' },
  }),
})
const bytes = (description: string, zh: string): Schema => described(description, zh, message)

/** Purposes for which a signature is judged; the rest of them sign nothing. */
export const SIGNATURE_PURPOSES = ['sign', 'login', 'seal', 'timestamp'] as const

const signature: { readonly [name: string]: Schema } = {
  kind: described('A signed message (CMS, PKCS #7, GB/T 35275) or a bare signature.', '签名消息，或裸签名。', {
    type: 'string',
    enum: ['cms', 'raw'],
  }),
  signature: bytes('The message, or the signature.', '签名消息或签名值。'),
  content: bytes('What was signed, unless the message carries it.', '被签原文；消息已携带时可省略。'),
  digest,
  certificate: certificateText,
  intermediates,
  algorithm: described(
    'Name or OID of the algorithm of a bare signature; the usual one of the key unless said.',
    '裸签名的算法名称或 OID。',
    {
      type: 'string',
      minLength: 1,
      maxLength: 64,
    },
  ),
  form: described('How a bare signature of two numbers is written: DER, or r and s behind each other.', '裸签名的编码方式。', {
    type: 'string',
    enum: ['der', 'raw'],
  }),
  at,
  purpose: described('What the certificate must be good for; to sign unless said.', '证书用途；未注明则为签名。', {
    type: 'string',
    enum: SIGNATURE_PURPOSES,
  }),
}
const seal: { readonly [name: string]: Schema } = {
  kind: described('An electronic seal, or a signature made with one.', '电子印章，或电子签章。', {
    type: 'string',
    enum: ['seal', 'seal-signature'],
  }),
  seal: bytes('The seal or the signature, of GM/T 0031-2014 or GB/T 38540-2020.', '电子印章或电子签章数据。'),
  document: bytes('The sealed document.', '被签章的原文。'),
  digest,
  intermediates,
  at,
}

/** One item, or several: never both. */
const oneOrMany = (properties: { readonly [name: string]: Schema }, required: readonly string[]): Schema => ({
  type: 'object',
  additionalProperties: false,
  properties: {
    ...properties,
    items: described('Several at once, each answered by itself.', '批量核验，逐项应答。', {
      type: 'array',
      minItems: 1,
      maxItems: INTERFACE_LIMITS.items,
      items: closed(required, properties),
    }),
  },
})

const certificate: { readonly [name: string]: Schema } = {
  certificate: certificateText,
  intermediates,
  at,
  purpose: described('What the certificate must be good for; to sign unless said.', '证书用途；未注明则为签名。', {
    type: 'string',
    enum: Object.keys(PURPOSES),
  }),
}

export const REQUESTS = {
  certificates: oneOrMany(certificate, ['certificate']),
  signatures: oneOrMany(signature, ['kind', 'signature']),
  seals: oneOrMany(seal, ['kind', 'seal']),
  outlook: closed(['envelope', 'opens_at'], {
    envelope: described('The encrypted bid, or its beginning.', '加密的投标文件，或其开头部分。', {
      type: 'string',
      minLength: 1,
      maxLength: INTERFACE_LIMITS.envelopeCharacters,
    }),
    certificates: described('Certificates of whoever is to open it, beside those that are known here.', '解密人的证书。', {
      type: 'array',
      maxItems: INTERFACE_LIMITS.certificates,
      items: certificateText,
    }),
    opens_at: described('Time of the opening, with offset.', '开标时间，带时区偏移。', { type: 'string', maxLength: 35 }),
  }),
  encryption: closed(['certificate'], {
    certificate: described("The holder's signing certificate.", '持有人的签名证书。', {
      type: 'string',
      minLength: 1,
      maxLength: INTERFACE_LIMITS.certificateCharacters,
    }),
    certificates: described('Certificates to choose among, beside those that are known here.', '备选证书。', {
      type: 'array',
      maxItems: INTERFACE_LIMITS.certificates,
      items: certificateText,
    }),
    at,
  }),
} as const satisfies { readonly [name: string]: Schema }

export type Digested = { readonly algorithm: string; readonly value: string }
export type SignatureItem = {
  readonly kind: 'cms' | 'raw'
  readonly signature: string
  readonly content?: string
  readonly digest?: Digested
  readonly certificate?: string
  readonly intermediates?: readonly string[]
  readonly algorithm?: string
  readonly form?: 'der' | 'raw'
  readonly at?: string
  readonly purpose?: (typeof SIGNATURE_PURPOSES)[number]
}
export type SealItem = {
  readonly kind: 'seal' | 'seal-signature'
  readonly seal: string
  readonly document?: string
  readonly digest?: Digested
  readonly intermediates?: readonly string[]
  readonly at?: string
}
export type OutlookBody = { readonly envelope: string; readonly certificates?: readonly string[]; readonly opens_at: string }
export type EncryptionBody = { readonly certificate: string; readonly certificates?: readonly string[]; readonly at?: string }
export type Batch<Item> = Partial<Item> & { readonly items?: readonly Item[] }
