/**
 * What every holder of logs does, hub or node, composed: it erases what was erased, takes back what lies beyond a closing, passes
 * proofs on, answers for what it holds, and judges the roots that origins announce.
 */
import type { Kysely } from 'kysely'
import type { MembershipSource } from '../membership/keeper.ts'
import type { Broker } from '../nats.ts'
import type { Receiver } from './arrival.ts'
import { type Eraser, startEraser } from './eraser.ts'
import type { LedgerEvents } from './events.ts'
import type { HeadListener } from './heads.ts'
import type { StateReader } from './ledger-state.ts'
import { startTreeJudge } from './log-trees.ts'
import { startProofs } from './proofs.ts'
import { HUB } from './questions.ts'
import { answerRedactions } from './redaction-questions.ts'
import { answerQuestions } from './repair.ts'
import { startRootJudge } from './root-judge.ts'
import { answerSnapshots } from './snapshot-questions.ts'
import type { LedgerTables } from './tables.ts'
import { startTakingBack, type Withdraw } from './taking-back.ts'

export type Holder = AsyncDisposable & Pick<Eraser, 'takeBack'>

export async function startHolder(options: {
  readonly broker: Broker
  readonly db: Kysely<LedgerTables>
  /** this program's code, or `hub` */
  readonly own: string
  readonly source: MembershipSource
  readonly receiver: Receiver
  readonly heads: () => HeadListener
  /** null where no record is read */
  readonly withdraw: Withdraw | null
  readonly read: StateReader
  readonly events: LedgerEvents
}): Promise<Holder> {
  const { broker, db, own, source, receiver, heads, withdraw, read, events } = options
  const { membership } = source
  const failed = (error: unknown): void => events.failed(own, error)
  const asked = { broker, db, membership, own, heads, failed }
  await using undo = new AsyncDisposableStack()
  const eraser = undo.use(startEraser({ broker, db, own, membership, receiver, heads, events }))
  undo.use(startTakingBack({ db, source, own: own === HUB ? null : own, withdraw, events }))
  undo.use(startProofs({ broker, db, own, membership, events }))
  undo.use(answerQuestions(asked))
  undo.use(answerRedactions(asked))
  undo.use(answerSnapshots(asked))
  undo.use(startRootJudge({ db, own, heads, read, judged: events.rootJudged, failed: events.failed }))
  undo.use(startTreeJudge({ db, own, heads, judged: events.treeJudged, failed: events.failed }))
  const held = undo.move()
  return { takeBack: eraser.takeBack, [Symbol.asyncDispose]: () => held.disposeAsync() }
}
