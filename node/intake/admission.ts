/**
 * Which rows of a file its bringer may bring: datasets that his roles may write, platforms that he speaks for. Whoever enters a deal
 * holds that duty in it from then on, and with a duty that excludes it his rows are refused. A refused row goes to the quarantine like
 * any other, the rest of the file counts.
 */
import type { MappedRow } from '../../adapters/adapter.ts'
import type { Duties } from '../../runtime/audit/duties.ts'
import type { Pseudonyms } from '../../runtime/audit/pseudonyms.ts'
import { type Decision, decide } from '../../schemas/access/decision.ts'
import type { Subject } from '../../schemas/access/subjects.ts'
import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import { ExchangeError } from '../../schemas/errors.ts'

export type Admission = {
  judge(row: MappedRow & { readonly kind: 'record' }): ExchangeError | null
  /** Takes the duty of entering these records before they are sealed; answers the keys where another duty forbids it. */
  enter(dataset: OpenDatasetName, keys: readonly string[]): Promise<ReadonlyMap<string, ExchangeError>>
}

const OPERATION = 'record.ingest'
const NONE: ReadonlyMap<string, ExchangeError> = new Map()

const errorOf = (decision: Decision): ExchangeError | null =>
  decision.allow ? null : new ExchangeError(decision.code, decision.reason)

export function admissionOf(
  subject: Subject | null,
  { duties, pseudonyms }: { readonly duties: Duties; readonly pseudonyms: Pseudonyms },
): Admission {
  return {
    judge: ({ dataset, candidate }) => errorOf(decide(subject, OPERATION, { dataset, platform: candidate.platform })),
    async enter(dataset, keys) {
      // The operator token is nobody in particular and holds no duties.
      if (dataset !== 'trade' || subject === null || subject.kind === 'operator') return NONE
      const held = await duties.heldIn(keys.map(pseudonyms.deal), subject.id)
      const barred = new Map<string, ExchangeError>()
      for (const key of keys) {
        const error = errorOf(decide(subject, OPERATION, { dataset, duties: held.get(pseudonyms.deal(key)) ?? [] }))
        if (error !== null) barred.set(key, error)
      }
      await duties.take(keys.filter(key => !barred.has(key)).map(pseudonyms.deal), subject.id, 'enter')
      return barred
    },
  }
}
