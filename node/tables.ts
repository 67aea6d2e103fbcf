/** The node's database: the ledger it shares in shape with the hub, what waits at the door, and the replica (`replica/datasets.ts`). */
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { IntakeTables } from './intake/tables.ts'

export type NodeTables = LedgerTables & IntakeTables
