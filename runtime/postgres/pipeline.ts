/**
 * Transactions with fewer ways to the server and back. Each way costs a statement's wait twice, at the program and at the server, so:
 * BEGIN goes out with the first statement, and what ends a transaction goes out together with its COMMIT. That is safe because
 * PostgreSQL makes a ROLLBACK of the COMMIT of a transaction in which a statement failed: nothing is half done, and the statement that
 * failed first says why.
 */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Kysely,
  PostgresDialect,
  PostgresDriver,
  type Transaction,
  type TransactionSettings,
} from 'kysely'
import { ExchangeError } from '../../schemas/errors.ts'

const ignore = (): void => {}

/** What a connection is in the middle of, from BEGIN until COMMIT or ROLLBACK is sent. */
type Life = { readonly begun: Promise<unknown>; open: boolean }
const lives = new WeakMap<DatabaseConnection, Life>()

type Connection = Parameters<PostgresDriver['rollbackTransaction']>[0]

class PipeliningDriver extends PostgresDriver {
  override async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const plain = settings.isolationLevel === undefined && settings.accessMode === undefined
    // BEGIN fails only where the connection does, and then every statement behind it fails too.
    const begun = plain
      ? connection.executeQuery(CompiledQuery.raw('begin'))
      : Promise.resolve(await super.beginTransaction(connection, settings))
    begun.catch(ignore)
    lives.set(connection, { begun, open: true })
  }

  override async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const begun = ended(connection)
    await super.commitTransaction(connection)
    await begun
  }

  override async rollbackTransaction(connection: Connection): Promise<void> {
    void ended(connection)
    await super.rollbackTransaction(connection)
  }
}

const ended = (connection: DatabaseConnection): Promise<unknown> | undefined => {
  const life = lives.get(connection)
  if (life !== undefined) life.open = false
  return life?.begun
}

/** For a pool whose clients have `pipeline: true`. */
export class PipeliningDialect extends PostgresDialect {
  readonly #config: ConstructorParameters<typeof PostgresDialect>[0]

  constructor(config: ConstructorParameters<typeof PostgresDialect>[0]) {
    super(config)
    this.#config = config
  }

  override createDriver(): PostgresDriver {
    return new PipeliningDriver(this.#config)
  }
}

/** A statement that the server parses and plans once for each connection. Its text never varies under one name. */
export type Statement = { readonly name: string; readonly text: string }

/** Sends a statement at once, behind those sent before it; only inside the transaction that it was taken from. */
export type Send = <Row>(statement: Statement, values: readonly unknown[]) => Promise<readonly Row[]>

/** The driver hands `sql` to the client as it is, and there a statement may have a name. */
const compiled = ({ name, text }: Statement, values: readonly unknown[]): CompiledQuery => ({
  ...CompiledQuery.raw(text, [...values]),
  sql: { name, text } as unknown as string,
})

/** The connection of a transaction: statements go out in the order of the calls, at the call, without waiting for each other. */
export const wireOf = <Tables>(trx: Transaction<Tables>): Promise<Send> =>
  trx.getExecutor().provideConnection(async connection => {
    const life = lives.get(connection)
    return async <Row>(statement: Statement, values: readonly unknown[]) => {
      if (life?.open !== true) throw new ExchangeError('INTERNAL', `${statement.name}: sent outside of its transaction`)
      const { rows } = await connection.executeQuery<Row>(compiled(statement, values))
      return rows
    }
  })

/** Takes what was sent and is not waited for: what is sent behind it, the COMMIT at least, fails with it. */
export type Tail = (sent: Promise<unknown>) => void

/**
 * A transaction whose last statements go out together with its COMMIT. Resolves after the commit.
 * @throws what the statement that failed first failed with
 */
export async function transact<Tables, Result>(
  db: Kysely<Tables>,
  work: (trx: Transaction<Tables>, tail: Tail) => Promise<Result>,
): Promise<Result> {
  const sent: Promise<unknown>[] = []
  const tail: Tail = one => {
    one.catch(ignore)
    sent.push(one)
  }
  try {
    const result = await db.transaction().execute(trx => work(trx, tail))
    await Promise.all(sent)
    return result
  } catch (error) {
    for (const one of sent) await one
    throw error
  }
}
