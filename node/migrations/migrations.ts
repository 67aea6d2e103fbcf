import { ledgerMigration } from '../../runtime/ledger/tables.ts'
import { intakeMigration } from '../intake/tables.ts'
import { replicaMigration } from './0002-replica.ts'

export const NODE_MIGRATIONS = [ledgerMigration, replicaMigration, intakeMigration] as const
