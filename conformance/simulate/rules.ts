/**
 * The product's own rules, in one object. Everything that the virtual programs decide, they decide by a function of this object, so
 * that a mutant is the same object with one function replaced. `order` holds the three decisions that are sequences of writes and
 * not functions: they are true in the product, and false in a mutant.
 */
import { joinBackward } from '../../schemas/backfill-rule.ts'
import { judgeKeepers, mayBootstrap } from '../../schemas/bootstrap-rule.ts'
import { judgeBehindClosing } from '../../schemas/closing-rule.ts'
import { isNewerHead, judgeHead, missingBehind } from '../../schemas/head-rule.ts'
import { openBytes, openRecords, openToken } from '../../schemas/opening.ts'
import { judgeOwnReceipt, judgeReceipt } from '../../schemas/receipt-rule.ts'
import {
  checkAddressed,
  checkRedaction,
  judgeErasure,
  judgeRedaction,
  missingErasures,
  openRedaction,
  standingKeys,
} from '../../schemas/redaction.ts'
import { planReopening, versionAfter } from '../../schemas/reopening-rule.ts'
import { highestOfEachKey, takesEffect } from '../../schemas/replica-rule.ts'
import { judgeRoot } from '../../schemas/root-rule.ts'
import { settle } from '../../schemas/settlement.ts'
import { checkGroup, rootOf } from '../../schemas/snapshot.ts'
import { openHead, openReceipt } from '../../schemas/statements.ts'
import { judgeStart, maySeal, nextOutboxAction, passedOver, repairSources } from '../../schemas/sync.ts'

export const RULES = {
  openToken,
  openBytes,
  openRecords,
  openReceipt,
  openHead,
  settle,
  judgeBehindClosing,
  judgeHead,
  isNewerHead,
  missingBehind,
  judgeReceipt,
  judgeRoot,
  takesEffect,
  highestOfEachKey,
  nextOutboxAction,
  repairSources,
  maySeal,
  judgeStart,
  planReopening,
  versionAfter,
  openRedaction,
  checkAddressed,
  checkRedaction,
  judgeRedaction,
  standingKeys,
  judgeErasure,
  missingErasures,
  passedOver,
  mayBootstrap,
  judgeKeepers,
  rootOf,
  checkGroup,
  joinBackward,
  judgeOwnReceipt,
  order: {
    /** ledger, head and effect are one transaction */
    cursorWithEffect: true as boolean,
    /** a message is acknowledged after the transaction that settled it */
    acknowledgeAfterCommit: true as boolean,
    /** a head and the forks found with it are one transaction */
    headWithVerdict: true as boolean,
    /** the outbox forgets on the receipt, not on the road's acknowledgement */
    forgetOnReceipt: true as boolean,
    /** the outbox measures its patience by a clock that nobody can set */
    outboxOnSteadyClock: true as boolean,
    /** at a start the hub and every other member are asked for the own heads */
    askEveryoneAtStart: true as boolean,
    /** sealing waits for every answer, and not for the first that comes within a while */
    awaitEveryAnswer: true as boolean,
    /** what an origin has declared lost loses its effect where it is held */
    withdrawLost: true as boolean,
    /** what a witness says of the own log counts as far as the own signature stands under it */
    verifyWitness: true as boolean,
    /** the hub signs a receipt after the transaction that took what it speaks of */
    receiptAfterCommit: true as boolean,
    /** entries wait while their log is loaded from a snapshot */
    waitWhileLoading: true as boolean,
    /** once the whole log is held, the state that was loaded is held against its replay */
    replayHistory: true as boolean,
    /** what is erased in the ledger is erased in the snapshots that are kept */
    eraseInSnapshots: true as boolean,
    /** everybody is asked what was erased of an own log, and not the first who answers alone */
    takeBackFromAll: true as boolean,
    /** an entry that is held already may bring what was erased in it */
    eraseWithRepeat: true as boolean,
    /** an old body does not come back with the history behind a snapshot, nor a snapshot with it */
    knowErased: true as boolean,
    /** what comes in a file is verified like anything else */
    verifyFiles: true as boolean,
  },
} as const

export type Rules = typeof RULES
