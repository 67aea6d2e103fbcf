import { ledgerMigration } from '../../runtime/ledger/tables.ts'

export const HUB_MIGRATIONS = [ledgerMigration] as const
