/** What the terminal says, Chinese first, then English. */
import { ERRORS, isExchangeError } from '../../schemas/errors.ts'

export type Output = { write(text: string): unknown; readonly isTTY?: boolean }
export type Terminal = { readonly out: Output; readonly err: Output }

export type Bilingual = { readonly zh: string; readonly en: string }
export const both = ({ zh, en }: Bilingual): string => `${zh} ${en}`

/** An error as an operator reads it: its sentences, its code, and what was expected. Foreign errors show their name only. */
export function formatError(error: unknown): string {
  if (!isExchangeError(error))
    return `✘ ${both(ERRORS.INTERNAL)} (INTERNAL)\n  ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}\n`
  const cause = error.cause as NodeJS.ErrnoException | undefined
  const because = typeof cause?.code === 'string' ? ` (${cause.code})` : ''
  return `✘ ${both(ERRORS[error.code])} (${error.code})\n  ${error.reason}${because}\n`
}

/** The first eight characters behind the algorithm: enough to tell two apart at a glance, never to prove anything. */
export const shortDigest = (digest: string): string => digest.slice(digest.indexOf(':') + 1).slice(0, 8)

export const writeJson = ({ out }: Terminal, value: unknown): void => void out.write(`${JSON.stringify(value, null, 2)}\n`)
