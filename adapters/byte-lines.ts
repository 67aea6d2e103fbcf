/**
 * Splits bytes at LF before any decoding. LF is no part of a longer character in UTF-8 nor in GB18030 (trail bytes begin at
 * 0x30), so a damaged character costs its own line, line numbers are exact, and where a chunk ends means nothing.
 */

export type ByteLine = {
  /** counted from 1 */
  readonly line: number
  /** without LF; at most `limit` bytes, the rest of a longer line is dropped */
  readonly bytes: Uint8Array
  readonly tooLong: boolean
}

const LF = 0x0a

export async function* byteLines(chunks: AsyncIterable<Uint8Array>, limit: number): AsyncIterable<ByteLine> {
  let line = 1
  let held: Uint8Array[] = []
  let size = 0
  let seen = 0
  const hold = (part: Uint8Array): void => {
    seen += part.length
    const kept = part.subarray(0, limit - size)
    if (kept.length === 0) return
    held.push(kept.slice())
    size += kept.length
  }
  const release = (): ByteLine => {
    const done: ByteLine = {
      line,
      bytes: held.length === 1 && held[0] !== undefined ? held[0] : Buffer.concat(held),
      tooLong: seen > limit,
    }
    held = []
    size = 0
    seen = 0
    line += 1
    return done
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      hold(chunk.subarray(start, end))
      yield release()
      start = end + 1
    }
    hold(chunk.subarray(start))
  }
  if (seen > 0) yield release()
}
