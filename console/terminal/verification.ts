/**
 * A signed statement checked offline, in the order in which every holder checks (the first refusal ends it): form, member and key,
 * signature, dataset and audience, chain, body, records. What cannot be checked from a file is said to be unchecked, never passed.
 */
import { parseEnvelopeFile, tokenKindOf } from '../../schemas/bundle.ts'
import { isRestricted } from '../../schemas/content-key.ts'
import { tokenDigest } from '../../schemas/envelope.ts'
import { ERRORS, type ErrorCode, ExchangeError, isExchangeError } from '../../schemas/errors.ts'
import { formatLogId, formatPosition } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { type OpenedToken, openBytes, openRecords, openToken } from '../../schemas/opening.ts'
import { checkAddressed, checkRedactedBytes, checkRedaction, openRedaction, type Redaction } from '../../schemas/redaction.ts'
import { openHead, openReceipt } from '../../schemas/statements.ts'
import type { TokenKind } from '../../schemas/tokens.ts'
import type { Bilingual } from './text.ts'

export const CHECKS = {
  form: { zh: '格式与大小', en: 'form and sizes' },
  member: { zh: '联盟、成员与密钥', en: 'federation, member and key' },
  signature: { zh: '签名', en: 'signature' },
  allowed: { zh: '数据集与范围的权限', en: 'dataset and audience allowed' },
  chain: { zh: '链上位置', en: 'chain position' },
  digest: { zh: '内容摘要', en: 'body digest' },
  records: { zh: '逐条记录的模式', en: 'schema, record by record' },
} as const satisfies { readonly [id: string]: Bilingual }
export type CheckId = keyof typeof CHECKS

export type Check = {
  readonly id: CheckId
  readonly verdict: 'passed' | 'failed' | 'unchecked'
  readonly code?: ErrorCode
  /** why it failed or could not be made, or what passed */
  readonly note?: string
}
export type Verification = {
  readonly kind: TokenKind | null
  /** what it says of itself; null until its signature holds */
  readonly says: string | null
  /** of the token */
  readonly digest: string
  /** all that can be checked without a log passes */
  readonly valid: boolean
  readonly checks: readonly Check[]
}

const ENTRY_CHECKS: readonly CheckId[] = ['form', 'member', 'signature', 'allowed', 'chain', 'digest', 'records']
const OPENING_CHECKS: readonly CheckId[] = ['form', 'member', 'signature', 'allowed', 'chain', 'digest']
const STATEMENT_CHECKS: readonly CheckId[] = ['form', 'member', 'signature']
const REDACTION_CHECKS: readonly CheckId[] = ['form', 'member', 'signature', 'chain', 'digest']

const CHECK_OF_CODE: { readonly [C in ErrorCode]?: CheckId } = {
  FEDERATION_FOREIGN: 'member',
  MEMBERSHIP_BEHIND: 'member',
  MEMBER_UNKNOWN: 'member',
  KEY_UNKNOWN: 'member',
  KEY_OUT_OF_RANGE: 'member',
  TOKEN_SIGNATURE_INVALID: 'signature',
  DATASET_UNKNOWN: 'allowed',
  DATASET_NOT_ALLOWED: 'allowed',
  AUDIENCE_NOT_ALLOWED: 'allowed',
  SCHEMA_MAJOR_UNKNOWN: 'records',
}

const NO_LOG = '未检查：未提供日志链 not checked: no log given'
const NO_BODY = '未检查：文件中没有内容 not checked: the file holds no body'
const NOT_REACHED = '未进行 not reached'

type File = { readonly token: string; readonly redaction: string | null; readonly body: Uint8Array | null }

/** A token alone, with or without an end of line, or a token and its body; a redaction stands behind its envelope's token. */
function splitFile(bytes: Uint8Array): File {
  const end = bytes.indexOf(0x0a)
  if (end < 0) return { token: Buffer.from(bytes).toString('latin1'), redaction: null, body: null }
  const { token, redaction = null, body } = parseEnvelopeFile(bytes)
  return { token, redaction, body: body.length === 0 ? null : body }
}

type Verdicts = Map<CheckId, Omit<Check, 'id'>>
const PASSED = { verdict: 'passed' } as const

/** Marks the check that an error belongs to, and those before it as passed. Foreign errors are nobody's verdict. */
function fail(verdicts: Verdicts, order: readonly CheckId[], error: unknown, at?: CheckId): void {
  if (!isExchangeError(error)) throw error
  const id = at ?? CHECK_OF_CODE[error.code] ?? 'form'
  for (const before of order.slice(0, order.indexOf(id))) if (!verdicts.has(before)) verdicts.set(before, PASSED)
  verdicts.set(id, { verdict: 'failed', code: error.code, note: error.reason })
}

const passUpTo = (verdicts: Verdicts, ids: readonly CheckId[]): void => {
  for (const id of ids) verdicts.set(id, PASSED)
}

async function checkEntry(
  opened: OpenedToken,
  body: Uint8Array | null,
  redaction: Redaction | null,
  order: readonly CheckId[],
  verdicts: Verdicts,
): Promise<void> {
  passUpTo(verdicts, STATEMENT_CHECKS)
  const schemaRefusal = opened.refusal?.code === 'SCHEMA_MAJOR_UNKNOWN' ? opened.refusal : null
  if (opened.refusal !== null && schemaRefusal === null) return fail(verdicts, order, opened.refusal)
  verdicts.set('allowed', PASSED)
  verdicts.set('chain', { verdict: 'unchecked', note: NO_LOG })
  const { claims } = opened
  if (claims === null) {
    if (body === null)
      verdicts.set('digest', { verdict: 'passed', note: '纪元开启声明没有内容 the opening of an epoch has no body' })
    else fail(verdicts, order, new ExchangeError('BODY_MALFORMED', 'expected no body behind the opening of an epoch'), 'digest')
    return
  }
  if (body === null) {
    verdicts.set('digest', { verdict: 'unchecked', note: NO_BODY })
    verdicts.set('records', { verdict: 'unchecked', note: NO_BODY })
    return
  }
  try {
    if (redaction !== null) checkAddressed(redaction, claims)
    await openBytes(claims, body, 'identity', redaction)
    if (redaction !== null && !isRestricted(claims.aud)) checkRedaction(null, body, redaction)
  } catch (error) {
    return fail(verdicts, order, error, 'digest')
  }
  verdicts.set('digest', redaction === null ? PASSED : { verdict: 'passed', note: erasedNote(redaction) })
  if (schemaRefusal !== null) return fail(verdicts, order, schemaRefusal)
  if (isRestricted(claims.aud)) {
    verdicts.set('records', { verdict: 'unchecked', note: ENCRYPTED })
    return
  }
  const { records, refused, refusal } = openRecords(claims, body, redaction?.keys)
  if (refusal !== null) return fail(verdicts, order, refusal, 'records')
  const [first] = refused
  if (first === undefined) verdicts.set('records', { verdict: 'passed', note: `${records.length} 条 records` })
  else {
    const where = `第 ${first.index} 条 record ${first.index}`
    const count = `${refused.length}/${refused.length + records.length} 条被拒 refused`
    fail(verdicts, order, new ExchangeError(first.error.code, `${count}; ${where}: ${first.error.reason}`), 'records')
  }
}

const ENCRYPTED = '内容为指定成员加密 the body is encrypted for the members of its audience'

const erasedNote = ({ keys, why }: Redaction): string =>
  `已删除 ${keys.size} 个键的内容 bodies erased of ${keys.size} keys (${why})`

/** A redaction by itself: the body that it names, if the file has it. */
async function checkAlone(redaction: Redaction, body: Uint8Array | null, verdicts: Verdicts): Promise<void> {
  passUpTo(verdicts, STATEMENT_CHECKS)
  verdicts.set('chain', { verdict: 'unchecked', note: NO_LOG })
  if (body === null) return void verdicts.set('digest', { verdict: 'unchecked', note: NO_BODY })
  try {
    if (isRestricted(redaction.log.audience)) checkRedactedBytes(body, redaction)
    else checkRedaction(null, body, redaction)
    verdicts.set('digest', { verdict: 'passed', note: erasedNote(redaction) })
  } catch (error) {
    fail(verdicts, REDACTION_CHECKS, error, 'digest')
  }
}

async function openStatement(kind: 'receipt' | 'head', token: string, membership: Membership): Promise<string> {
  if (kind === 'receipt') {
    const { log, head } = await openReceipt(token, membership)
    return `${formatLogId(log)} ${formatPosition(head)} ${head.digest}`
  }
  const { origin, audience, logs, held } = await openHead(token, membership)
  return `${origin} → ${audience}: ${logs.length} 条日志链 logs, ${held.length} held`
}

/** Never throws for what the bytes hold. */
export async function verifyFile(bytes: Uint8Array, membership: Membership): Promise<Verification> {
  const verdicts: Verdicts = new Map()
  let token = ''
  let body: Uint8Array | null = null
  let beside: string | null = null
  let kind: TokenKind | null = null
  let says: string | null = null
  let order: readonly CheckId[] = ENTRY_CHECKS
  try {
    ;({ token, redaction: beside, body } = splitFile(bytes))
    kind = tokenKindOf(token)
    if (kind === 'receipt' || kind === 'head') {
      order = STATEMENT_CHECKS
      if (body !== null) throw new ExchangeError('TOKEN_MALFORMED', 'expected nothing behind the token')
      says = await openStatement(kind, token, membership)
      passUpTo(verdicts, STATEMENT_CHECKS)
    } else if (kind === 'redaction') {
      order = REDACTION_CHECKS
      const redaction = await openRedaction(token, membership, null)
      says = `${formatLogId(redaction.log)} ${formatPosition(redaction.position)}`
      await checkAlone(redaction, body, verdicts)
    } else {
      order = kind === 'epoch' ? OPENING_CHECKS : ENTRY_CHECKS
      const opened = await openToken(kind === 'epoch' ? 'epoch' : 'envelope', token, membership, null)
      says = `${formatLogId(opened.log)} ${formatPosition(opened.entry)}`
      const redaction = beside === null ? null : await openRedaction(beside, membership, opened.log)
      await checkEntry(opened, body, redaction, order, verdicts)
    }
  } catch (error) {
    fail(verdicts, order, error)
  }
  const checks = order.map((id): Check => ({ id, ...(verdicts.get(id) ?? { verdict: 'unchecked', note: NOT_REACHED }) }))
  return { kind, says, digest: tokenDigest(token), valid: checks.every(({ verdict }) => verdict !== 'failed'), checks }
}

export const sentenceOf = (code: ErrorCode): Bilingual => ERRORS[code]
