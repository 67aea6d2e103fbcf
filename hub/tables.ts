/** The hub's database: its ledger. It keeps no replica, because it answers for what was said, not for what it means. */
import type { LedgerTables } from '../runtime/ledger/tables.ts'

export type HubTables = LedgerTables
