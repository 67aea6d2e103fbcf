/** What a program said last: the error that its log ends in if it names one, else its last lines. */
import { logTail } from '../../runtime/guarded-process.ts'

const TAIL_BYTES = 16 * 1024
const LINES = 6
const LINE_LENGTH = 240
/** The first line of an error as programs print it: its code and its sentences. */
const FAULT = /^[A-Z][A-Z_]+: /

/** At most six lines, none long, of a log's end. */
export function lastWordsOf(tail: string): string {
  const lines = tail.split('\n').filter(line => line.trim() !== '')
  const fault = lines.findLastIndex(line => FAULT.test(line))
  const named = lines.slice(fault, fault + LINES)
  // behind its sentences an error prints its causes as JSON
  const causes = named.findIndex(line => line.trim() === '{')
  const chosen = fault < 0 ? lines.slice(-LINES) : named.slice(0, causes < 0 ? LINES : causes)
  return chosen.map(line => (line.length > LINE_LENGTH ? `${line.slice(0, LINE_LENGTH)}…` : line)).join('\n')
}

export const lastWords = async (logFile: string): Promise<string> => lastWordsOf(await logTail(logFile, TAIL_BYTES))
