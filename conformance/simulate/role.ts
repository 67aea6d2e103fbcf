/** What a virtual program does in one life. */
import type { Operation } from './faults.ts'
import type { Message } from './network.ts'

export type Role = {
  start(): void
  deliver(from: string, message: Message): Promise<void>
  /** Writes at an origin; false when it cannot now, and the writer comes again. */
  submit(operation: Operation): Promise<boolean>
  /** whether it has begun to seal in this life */
  isSealing(): boolean
}
