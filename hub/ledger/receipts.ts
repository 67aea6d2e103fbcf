/** Signs what the ledger holds. A receipt goes out after the transaction that it speaks of, and again whenever its origin asks. */
import { headers, type Msg } from '@nats-io/transport-node'
import type { Kysely } from 'kysely'
import type { Outcome } from '../../runtime/ledger/arrival.ts'
import { entriesAt, readLog, readLogs } from '../../runtime/ledger/ledger.ts'
import { HUB, hearQuestions } from '../../runtime/ledger/questions.ts'
import type { LedgerTables } from '../../runtime/ledger/tables.ts'
import { type Broker, withTrace } from '../../runtime/nats.ts'
import { formatLogId, type LogHead, type LogId } from '../../schemas/log.ts'
import type { Membership } from '../../schemas/membership.ts'
import { sealReceipt } from '../../schemas/statements.ts'
import { receiptSubject } from '../../schemas/subjects.ts'
import type { Signer } from '../../schemas/tokens.ts'
import type { HubEvents } from '../events.ts'
import type { ReceiptHold } from '../membership/receipt-hold.ts'
import { mayReceipt } from '../membership/standings.ts'
import type { ReceiptNote } from './receipt-note.ts'

export type Receipts = Disposable & { settled(outcomes: readonly Outcome[]): Promise<void> }

export function startReceipts(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  readonly fed: string
  readonly signer: Signer
  readonly membership: () => Membership
  readonly hold: ReceiptHold
  readonly note: ReceiptNote
  readonly clock: () => Date
  readonly events: HubEvents
}): Receipts {
  const { broker, db, fed, signer, events } = options
  const seal = (log: LogId, head: LogHead): Promise<string> => sealReceipt(log, head, { fed, signer, now: options.clock() })

  /** What was receipted before a database was set back stands first. */
  const maySign = (log: LogId, head: LogHead): Promise<boolean> =>
    options.note.mayReceipt(log, head, async at => {
      const id = (await readLog(db, log))?.id
      const held = id === undefined ? [] : (await entriesAt(db, [{ logId: id, at }])).values()
      return [...held][0]?.digest ?? null
    })

  async function answer(message: Msg, asker: string): Promise<void> {
    const states = (await readLogs(db)).filter(state => state.log.origin === asker)
    const held = await options.hold.held([asker])
    const tokens = await Promise.all(
      states.map(async ({ log, head }) =>
        head === null || !mayReceipt(options.membership(), held, log, head) || !(await maySign(log, head)) ? null : seal(log, head),
      ),
    )
    message.respond(JSON.stringify(tokens.filter(token => token !== null)))
  }

  const questions = hearQuestions({ broker, own: HUB, failed: error => events.failed(HUB, error) }, { receipts: answer })

  return {
    /** One receipt for each log that moved: the last position of the group speaks for those before it. */
    async settled(outcomes) {
      const last = new Map<string, { log: LogId; head: LogHead }>()
      for (const outcome of outcomes) if (outcome.kind === 'accepted') last.set(formatLogId(outcome.log), outcome)
      const held = await options.hold.held([...last.values()].map(({ log }) => log.origin))
      for (const { log, head } of last.values()) {
        if (!mayReceipt(options.membership(), held, log, head) || !(await maySign(log, head))) continue
        broker.connection.publish(receiptSubject(log.origin), await seal(log, head), { headers: withTrace(headers()) })
        events.receipted(log, head)
      }
    },
    [Symbol.dispose]: () => questions[Symbol.dispose](),
  }
}
