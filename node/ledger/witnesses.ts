/** Asks the hub and every other member where this node's own logs stand with them, as its own key once signed it. */
import { HUB } from '../../runtime/ledger/questions.ts'
import { askStanding } from '../../runtime/ledger/repair.ts'
import type { Broker } from '../../runtime/nats.ts'
import { parseIJson } from '../../schemas/i-json.ts'
import { formatLogId, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { openReceipt, type Receipt } from '../../schemas/statements.ts'
import { questionSubject } from '../../schemas/subjects.ts'
import type { Witness } from '../../schemas/sync.ts'

const RECEIPTS_TIMEOUT_MS = 3000

export type Answers = {
  readonly asked: readonly string[]
  readonly silent: readonly string[]
  readonly witnesses: ReadonlyMap<string, { readonly log: LogId; readonly witnesses: readonly Witness[] }>
}
export type Asking = {
  readonly broker: Broker
  readonly own: string
  readonly neighbours: () => readonly string[]
  readonly membership: () => Membership
  /** an answer with a token that does not verify */
  readonly refused: (holder: string, error: unknown) => void
}

export async function askWitnesses({ broker, own, neighbours, membership, refused }: Asking): Promise<Answers> {
  const witnesses = new Map<string, { log: LogId; witnesses: Witness[] }>()
  const silent: string[] = []
  const asked = [HUB, ...neighbours()]
  const answers = await Promise.allSettled(
    asked.map(holder => askStanding(broker, holder, own, membership(), error => refused(holder, error))),
  )
  for (const [index, answer] of answers.entries()) {
    const holder = asked[index] ?? ''
    if (answer.status === 'rejected') silent.push(holder)
    else
      for (const { log, head } of answer.value) {
        const known = witnesses.get(formatLogId(log)) ?? { log, witnesses: [] }
        known.witnesses.push({ holder, head })
        witnesses.set(formatLogId(log), known)
      }
  }
  return { asked, silent, witnesses }
}

/** What the hub signs today of an own log; none while it does not answer. */
export async function askOwnReceipts({ broker, own, membership }: Asking, log: LogId): Promise<Receipt[]> {
  const answer = await broker.connection
    .request(questionSubject(HUB, 'receipts', own), undefined, { timeout: RECEIPTS_TIMEOUT_MS })
    .catch((): null => null)
  if (answer === null) return []
  const tokens = parseIJson(answer.data, 2, 'REQUEST_INVALID')
  const opened = await Promise.all(
    (Array.isArray(tokens) ? tokens : []).map(token => openReceipt(String(token), membership()).catch((): null => null)),
  )
  return opened.filter(receipt => receipt !== null).filter(receipt => formatLogId(receipt.log) === formatLogId(log))
}
