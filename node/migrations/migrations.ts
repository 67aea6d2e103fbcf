import { auditMigration } from '../../runtime/audit/tables.ts'
import { accessMigration } from '../../runtime/http/access/tables.ts'
import { ledgerMigration } from '../../runtime/ledger/tables.ts'
import { membershipMigration } from '../../runtime/membership/tables.ts'
import { intakeMigration } from '../intake/tables.ts'
import { loginMigration } from '../login/tables.ts'
import { ownMembershipMigration } from '../membership/tables.ts'
import { trustMigration } from '../trust/tables.ts'
import { replicaMigration } from './0002-replica.ts'

export const NODE_MIGRATIONS = [
  ledgerMigration,
  replicaMigration,
  intakeMigration,
  auditMigration,
  accessMigration,
  membershipMigration,
  ownMembershipMigration,
  trustMigration,
  loginMigration,
] as const
