/** A node's start: what others hold of its own logs is taken back before anything is sealed, or an operator declares it lost. */
import { comparePositions, formatLogId, formatPosition, type LogId } from '../../schemas/log.ts'
import type { LogAt } from '../../schemas/statements.ts'
import type { Witness } from '../../schemas/sync.ts'
import { type DiskLog, logOn } from './disk.ts'
import type { Ground, Life } from './ground.ts'
import type { Holder } from './holder.ts'
import { HUB } from './members.ts'
import type { Standing } from './network.ts'
import { highestVersion, sealReopening } from './sealer.ts'
import { unverified } from './unverified.ts'

const TICK_MS = 1000
const ASK_AGAIN_MS = 4000
/** how long a node waits for what others know before its operator acts */
const OPERATOR_MS = 20_000

export type Start = { begin(): void; isSealing(): boolean }

export function createStart(
  ground: Ground,
  life: Life,
  options: { readonly holder: Holder; readonly ownLogs: () => readonly DiskLog[]; readonly sealing: () => void },
): Start {
  const { rules, members } = ground
  const { membership } = members
  const { code } = life
  const { holder, ownLogs } = options
  const disk = () => ground.disk(code)
  const standings = new Map<string, Standing>()
  let sealing = false

  function askStandings(): void {
    const all = [HUB, ...(rules.order.askEveryoneAtStart ? ground.codes.filter(other => other !== code) : [])]
    for (const other of all) {
      if (standings.has(other)) continue
      holder.ask(other, { what: 'standing' }, async answer => {
        if (answer?.what !== 'standing' || sealing) return
        standings.set(other, answer.standing)
        ground.step(life, 'start: answered')
        if (all.every(one => standings.has(one)) && !considering) await considerSealing()
      })
    }
    ground.step(life, 'start: asked')
    ground.after(ASK_AGAIN_MS, life, async () => {
      if (sealing || all.every(one => standings.has(one))) return
      // A note that no backup can have brought says itself how much is missing.
      const enough = !rules.order.awaitEveryAnswer || (noteAtStart?.trusted === true && startedAs === 'restored')
      if (enough && standings.size > 0 && !considering) await considerSealing()
      else askStandings()
    })
  }

  const noteAtStart = ground.sealedNote(code)
  const startedAs = rules.judgeStart(noteAtStart, id => disk().logs.get(id)?.head ?? null)
  const operatorComes = ground.now() + OPERATOR_MS
  let considering = false

  function beginSealing(): void {
    sealing = true
    const heads = ownLogs().flatMap(({ log, head }) => (head === null ? [] : [[formatLogId(log), head] as const]))
    ground.renewNote(code, new Map(heads))
    ground.note(`${code} may seal`)
    options.sealing()
  }

  /** The operator has waited long enough: what nobody delivers is declared lost, unless a receipt says that the hub holds it. */
  function declareLost(log: LogId, list: readonly Witness[]): void {
    holder.ask(HUB, { what: 'receipts' }, async answer => {
      if (answer?.what !== 'receipts' || sealing) return
      const on = logOn(disk(), log)
      const receipts = await Promise.all(answer.tokens.map(token => rules.openReceipt(token, membership).catch((): null => null)))
      const covered = receipts.some(
        receipt =>
          receipt !== null &&
          formatLogId(receipt.log) === formatLogId(log) &&
          (on.head === null || comparePositions(receipt.head, on.head) > 0),
      )
      const mark = noteAtStart?.positions.get(formatLogId(log)) ?? null
      const plan = rules.planReopening(on.head, list, mark, highestVersion(on))
      if (plan === null || covered) return
      ground.note(`${code} declares ${formatLogId(log)} lost from ${formatPosition(plan.lost)} on`)
      await sealReopening(ground, life, log, plan)
    })
  }

  async function considerSealing(): Promise<void> {
    considering = true
    const witnesses = new Map<string, { log: LogId; list: Witness[] }>()
    const witness = (holderCode: string, { log, head }: LogAt): void => {
      if (log.origin !== code) return
      const known = witnesses.get(formatLogId(log)) ?? { log, list: [] }
      witnesses.set(formatLogId(log), known)
      known.list.push({ holder: holderCode, head })
    }
    for (const [other, standing] of standings) for (const at of await positionsOf(standing)) witness(other, at)
    for (const id of noteAtStart?.positions.keys() ?? []) {
      const [origin = '', dataset = '', audience = ''] = id.split('/')
      if (!witnesses.has(id)) witnesses.set(id, { log: { origin, dataset, audience }, list: [] })
    }
    let behind = false
    for (const { log, list } of witnesses.values()) {
      const mark = noteAtStart?.positions.get(formatLogId(log)) ?? null
      const verdict = rules.maySeal(disk().logs.get(formatLogId(log))?.head ?? null, list, mark)
      if (verdict.kind === 'seal') continue
      behind = true
      ground.note(`${code} takes back ${formatLogId(log)} up to ${formatPosition(verdict.behind.head)}`)
      if (ground.now() > operatorComes && !holder.isRepairing(log)) declareLost(log, list)
      holder.repair(log, verdict.behind.head)
    }
    if (behind) ground.after(TICK_MS, life, considerSealing)
    else if (!sealing) beginSealing()
  }

  /** A witness is believed as far as the own signature stands under what it shows. */
  async function positionsOf({ entries, heads }: Standing): Promise<LogAt[]> {
    const found: LogAt[] = []
    for (const { kind, token } of entries) {
      if (kind === 'redaction') continue
      const opened = rules.order.verifyWitness
        ? await rules.openToken(kind, token, membership, null).catch((): null => null)
        : unverified(token)
      if (opened !== null) found.push({ log: opened.log, head: opened.entry })
    }
    for (const token of heads) {
      const head = await rules.openHead(token, membership).catch((): null => null)
      if (head?.origin === code) found.push(...head.logs)
    }
    return found
  }

  return {
    begin() {
      if (startedAs === 'continued') beginSealing()
      else askStandings()
    },
    isSealing: () => sealing,
  }
}
