/** What is refused, as the quarantine keeps it: whole entries, redactions, single records. */
import { formatEnvelopeFile } from '../../schemas/bundle.ts'
import type { ExchangeError } from '../../schemas/errors.ts'
import type { RefusedRecord } from '../../schemas/opening.ts'
import type { Redaction } from '../../schemas/redaction.ts'
import type { Accepted, Arrival, Opened, OpenedEntry, OpenedFault } from './arrival.ts'
import type { Quarantined } from './quarantine.ts'

/** A whole entry: its token and body as they came. What was not shown to be its origin's is nobody's. */
export function setAside(one: OpenedEntry | OpenedFault, error: ExchangeError): Quarantined {
  return {
    kind: 'envelope',
    origin: one.token?.log.origin ?? null,
    dataset: one.token?.log.dataset ?? null,
    audience: one.token?.log.audience ?? null,
    epoch: one.token?.entry.epoch ?? null,
    seq: one.token?.entry.seq ?? null,
    place: one.arrival.subject,
    rule: typeof error.detail.rule === 'string' ? error.detail.rule : null,
    code: error.code,
    reason: error.reason,
    encoding: one.arrival.encoding,
    content: formatEnvelopeFile(one.arrival),
  }
}

/** A redaction by itself, with the body that came with it. */
export const redactionAside = (arrival: Arrival, { log, position }: Redaction, error: ExchangeError): Quarantined => ({
  kind: 'envelope',
  ...log,
  ...position,
  place: arrival.subject,
  code: error.code,
  reason: error.reason,
  encoding: arrival.encoding,
  content: formatEnvelopeFile(arrival),
})

/** One record: its own text, cut out of the body that it came in. */
export function recordAside(one: Accepted, refused: RefusedRecord, opened: readonly Opened[]): Quarantined {
  const source = opened.find(other => other.token === one.token)
  const plain = one.plain ?? (source !== undefined && source.error === null ? source.plain : null)
  const text = plain === null ? '{}' : Buffer.from(plain).toString('utf8')
  const value = (JSON.parse(text) as { records?: unknown[] }).records?.[refused.index] ?? null
  return {
    kind: 'record',
    origin: one.token.log.origin,
    dataset: one.token.log.dataset,
    audience: one.token.log.audience,
    epoch: one.token.entry.epoch,
    seq: one.token.entry.seq,
    item: refused.index,
    key: refused.key,
    rule: typeof refused.error.detail.rule === 'string' ? refused.error.detail.rule : null,
    code: refused.error.code,
    reason: refused.error.reason,
    content: Buffer.from(JSON.stringify(value)),
  }
}
