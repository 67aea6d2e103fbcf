/** Has a node erase every superseded or retracted version of a key, at every holder. */
import { formatPosition, type Position } from '../../schemas/log.ts'
import type { RetractReason } from '../../schemas/record.ts'
import { type FederationFile, nodeNamed } from './federation-file.ts'
import { readOperatorToken } from './operator.ts'
import { askJson } from './request.ts'
import { type Terminal, writeJson } from './text.ts'

export type RedactOptions = {
  readonly at: string
  readonly dataset: string
  readonly audience?: string
  readonly key: string
  readonly why: RetractReason
  readonly json: boolean
}
type Answer = {
  readonly redacted?: readonly (Position & { readonly redaction: string; readonly old: string; readonly new: string })[]
  readonly kept?: readonly Position[]
}

/** The node reads its whole log for the key. */
const TIMEOUT_MS = 600_000

/** Exit code 1 if a version stays because it shares its batch with one that still stands. @throws what the node answers */
export async function runRedact(
  file: FederationFile,
  { at, dataset, audience, key, why, json }: RedactOptions,
  terminal: Terminal,
): Promise<number> {
  const node = nodeNamed(file, at)
  const token = await readOperatorToken(at, node.operator_token_file)
  const answer = (await askJson(`${node.url}/v1/redactions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ dataset, key, why, ...(audience === undefined ? {} : { audience }) }),
    timeoutMs: TIMEOUT_MS,
  })) as Answer
  const { redacted = [], kept = [] } = answer
  if (json) writeJson(terminal, answer)
  else {
    terminal.out.write(`✔ ${dataset} ${key}: 已签署 ${redacted.length} 项删除声明 redactions signed (${why})\n`)
    for (const one of redacted) terminal.out.write(`  ${formatPosition(one)}  ${one.old} → ${one.new}\n    ${one.redaction}\n`)
    for (const place of kept) {
      terminal.out.write(
        `  – ${formatPosition(place)} 与仍有效的版本同批，待其被取代 shares its batch with a version that still stands\n`,
      )
    }
  }
  return kept.length === 0 ? 0 : 1
}
