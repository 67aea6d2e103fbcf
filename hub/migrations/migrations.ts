import { auditMigration } from '../../runtime/audit/tables.ts'
import { accessMigration } from '../../runtime/http/access/tables.ts'
import { ledgerMigration } from '../../runtime/ledger/tables.ts'
import { membershipMigration } from '../../runtime/membership/tables.ts'
import { officeMigration } from '../membership/tables.ts'

export const HUB_MIGRATIONS = [ledgerMigration, auditMigration, accessMigration, membershipMigration, officeMigration] as const
