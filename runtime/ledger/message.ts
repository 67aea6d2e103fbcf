/** An entry as a NATS message: the token is a header, the body the data, the message id the entry's digest. */
import { headers, type MsgHdrs } from '@nats-io/transport-node'
import { HEADERS } from '../../schemas/subjects.ts'
import { withTrace } from '../nats.ts'
import type { Arrival } from './arrival.ts'
import type { StoredEntry } from './ledger.ts'

export function entryHeaders(entry: StoredEntry): MsgHdrs {
  const set = withTrace(headers())
  set.set(entry.body === null ? HEADERS.epoch : HEADERS.envelope, entry.token)
  if (entry.body !== null) set.set(HEADERS.encoding, entry.encoding)
  if (entry.redaction != null) set.set(HEADERS.redaction, entry.redaction)
  return set
}

/** A redaction by itself: what erases at a holder that has the envelope already. */
export function redactionHeaders(token: string, encoding: string): MsgHdrs {
  const set = withTrace(headers())
  set.set(HEADERS.redaction, token)
  set.set(HEADERS.encoding, encoding)
  return set
}

/** `subject` is null for an answer to a question: then the token alone says whose it is. A message without a token is malformed. */
export function arrivalOf(
  message: { readonly headers?: MsgHdrs | undefined; readonly data: Uint8Array },
  subject: string | null,
): Arrival {
  const envelope = message.headers?.get(HEADERS.envelope) ?? ''
  const epoch = message.headers?.get(HEADERS.epoch) ?? ''
  const redaction = message.headers?.get(HEADERS.redaction) ?? ''
  const came = { encoding: message.headers?.get(HEADERS.encoding) || 'identity', body: message.data, subject }
  if (envelope === '' && epoch === '' && redaction !== '') return { kind: 'redaction', token: redaction, ...came }
  return {
    kind: envelope === '' && epoch !== '' ? 'epoch' : 'envelope',
    token: envelope === '' ? epoch : envelope,
    ...(redaction === '' ? {} : { redaction }),
    ...came,
  }
}
