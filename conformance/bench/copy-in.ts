/**
 * `COPY … FROM STDIN` (PostgreSQL, 54.7.2 "COPY-related messages") over the driver's own connection: the fastest that one client can put
 * rows into a table, and so what loading is measured against.
 */
import type { Client, Submittable } from 'pg'

/** what the driver's connection offers while a COPY is under way */
type CopyConnection = {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
}

const CHUNK_BYTES = 1024 * 1024

/** Rows in COPY's text format, ended by a line feed each. */
export async function copyIn(client: Client, statement: string, rows: Buffer): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  client.query({
    submit(connection: unknown) {
      ;(connection as CopyConnection).query(statement)
    },
    handleCopyInResponse(connection: CopyConnection) {
      for (let start = 0; start < rows.length; start += CHUNK_BYTES) {
        connection.sendCopyFromChunk(rows.subarray(start, start + CHUNK_BYTES))
      }
      connection.endCopyFrom()
    },
    handleCommandComplete() {},
    handleReadyForQuery: () => resolve(),
    handleError: (error: Error) => reject(error),
  } as Submittable)
  await promise
}

const escaped = (text: string): string =>
  text.replace(/[\\\n\r\t]/g, one => ({ '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' })[one] ?? one)

export const copyText = (rows: readonly { readonly [name: string]: unknown }[], names: readonly string[]): Buffer =>
  Buffer.from(
    rows
      .map(
        row =>
          `${names.map(name => escaped(typeof row[name] === 'object' ? JSON.stringify(row[name]) : String(row[name]))).join('\t')}\n`,
      )
      .join(''),
  )
