/** The node's database: the ledger it shares in shape with the hub, what waits at the door, and the replica (`replica/datasets.ts`). */
import type { AuditTables } from '../runtime/audit/tables.ts'
import type { AccessTables } from '../runtime/http/access/tables.ts'
import type { LedgerTables } from '../runtime/ledger/tables.ts'
import type { MembershipTables } from '../runtime/membership/tables.ts'
import type { IntakeTables } from './intake/tables.ts'
import type { LoginTables } from './login/tables.ts'
import type { OwnMembershipTables } from './membership/tables.ts'
import type { TrustTables } from './trust/tables.ts'

export type NodeTables = LedgerTables &
  IntakeTables &
  AuditTables &
  AccessTables &
  MembershipTables &
  OwnMembershipTables &
  TrustTables &
  LoginTables
