/**
 * The membership that statements are judged by. The file beside the federation is as old as the last start; where the hub answers, its log
 * is read on from there. It is believed only if a key of the file has signed in it, so a hub that lies shows nothing new.
 */
import { isExchangeError } from '../../schemas/errors.ts'
import { takeEntries } from '../../schemas/membership/application.ts'
import { emptyState, membershipOf } from '../../schemas/membership/state.ts'
import type { Membership } from '../../schemas/membership.ts'
import { askJson } from './request.ts'
import { readMembership } from './verify.ts'

const TIMEOUT_MS = 3000

/** @throws MEMBERSHIP_FILE_INVALID */
export async function newestMembership(path: string, hubUrl: string | null): Promise<Membership> {
  const kept = await readMembership(path)
  if (hubUrl === null) return kept
  try {
    const entries: string[] = []
    for (let more = true; more; ) {
      const page = (await askJson(`${hubUrl}/v1/membership/log?from=${entries.length + 1}`, { timeoutMs: TIMEOUT_MS })) as {
        readonly entries: readonly string[]
      }
      entries.push(...page.entries)
      more = page.entries.length > 0
    }
    const [anchor] = kept.hubKeys
    if (anchor === undefined) return kept
    const { state } = await takeEntries(emptyState({ fed: kept.fed, anchor: anchor.kid }), entries)
    return state.position > kept.position ? await membershipOf(state) : kept
  } catch (error) {
    if (isExchangeError(error)) return kept
    throw error
  }
}
