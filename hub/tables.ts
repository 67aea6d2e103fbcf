/** The hub's database: its ledger. It keeps no replica, because it answers for what was said, not for what it means. */
import type { AuditTables } from '../runtime/audit/tables.ts'
import type { AccessTables } from '../runtime/http/access/tables.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { MembershipTables } from '../runtime/membership/tables.ts'
import type { OfficeTables } from './membership/tables.ts'

export type HubTables = LedgerTables & AuditTables & AccessTables & MembershipTables & OfficeTables
