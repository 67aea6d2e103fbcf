/**
 * The keys that the broker trusts, kept by the hub in one owner-only file: of the operator, of each account. What a program proves
 * itself with is its own (`credentials.ts`) and never comes here; the hub only signs its public half. The operator's root key lies in
 * a second file that is needed at the founding alone and may be taken away.
 *
 * Every account's tokens are signed by a key that can be replaced, and whoever was signed by the one before is out at once. A revoked
 * key is revoked for ever, whatever time a token bears, so a program that lost its key makes a new one.
 */
import { rename, rm } from 'node:fs/promises'
import { decode, encodeAccount, encodeOperator, encodeUser } from '@nats-io/jwt'
import { createAccount, createOperator, fromPublic, fromSeed, type KeyPair } from '@nats-io/nkeys'
import { ExchangeError } from '../../schemas/errors.ts'
import { readOwnerOnly, writeOnce } from '../keys/owner-only-file.ts'
import { type BrokerMember, hubAccount, memberAccount, systemAccount } from './accounts.ts'

type AccountKeys = { readonly account: string; readonly signer: string; readonly revoked: readonly string[] }
type AuthorityFile = {
  readonly fed: string
  readonly operator: { readonly token: string; readonly signer: string }
  readonly system: AccountKeys
  readonly hub: AccountKeys
  readonly members: { readonly [code: string]: AccountKeys }
}

export type AccountClaim = { readonly name: string; readonly account: string; readonly token: string }

export type Authority = {
  readonly fed: string
  /** for the broker's configuration: whom it trusts */
  readonly operatorToken: string
  /** public key of the account that the servers themselves use, and its claims */
  system(): Promise<AccountClaim>
  /**
   * The claims of the hub's account and of each member's; an account that is missing is made. What did not change is the same token.
   * @throws MEMBER_UNKNOWN for a code that would mean more than one
   */
  claims(members: readonly BrokerMember[]): Promise<AccountClaim[]>
  /** The user token of a program: `hub` or a member's code. The key is the public half of what the program made itself. */
  admit(program: string, key: string): Promise<string>
  /** for pushing claims */
  admitSystem(key: string): Promise<string>
  /** Takes effect at the broker with the next claims: connections of that key end. */
  revoke(program: string, key: string): Promise<void>
  /** A new signing key for the account: every user token issued until now is void with the next claims. */
  rotate(program: string): Promise<void>
}

const FILE_MAX_BYTES = 4 * 1024 * 1024
const HUB = 'hub'

const refuse = (path: string, reason: string, cause?: unknown): ExchangeError =>
  new ExchangeError('KEY_FILE_INVALID', `${path}: ${reason}`, { detail: { path }, ...(cause === undefined ? {} : { cause }) })

const seedOf = (pair: KeyPair): string => new TextDecoder().decode(pair.getSeed())
const pairOf = (seed: string): KeyPair => fromSeed(new TextEncoder().encode(seed))
const publicOf = (seed: string): string => pairOf(seed).getPublicKey()
/** The account's own key signs nothing, so its private half is forgotten as soon as it has a name. */
const newAccount = (): AccountKeys => ({
  account: createAccount().getPublicKey(),
  signer: seedOf(createAccount()),
  revoked: [],
})

/**
 * Founds the federation's authority over its broker, in two new owner-only files.
 * @throws KEY_FILE_INVALID where one of them exists
 */
export async function foundAuthority(path: string, rootPath: string, fed: string): Promise<Authority> {
  const root = createOperator()
  const signer = createOperator()
  const system = newAccount()
  const claims = { signing_keys: [signer.getPublicKey()], system_account: system.account }
  const token = await encodeOperator(`hutong-${fed}`, root, claims)
  const file: AuthorityFile = { fed, operator: { token, signer: seedOf(signer) }, system, hub: newAccount(), members: {} }
  try {
    await writeOnce(rootPath, `${seedOf(root)}\n`)
    await writeOnce(path, `${JSON.stringify(file, null, 2)}\n`)
  } catch (cause) {
    throw refuse(path, 'the files of the authority cannot be written, or exist', cause)
  }
  return openAuthority(path)
}

async function readFileOf(path: string): Promise<AuthorityFile> {
  const text = await readOwnerOnly(path, FILE_MAX_BYTES, (reason, cause) => refuse(path, reason, cause))
  try {
    const file = JSON.parse(text) as AuthorityFile
    for (const { account, signer, revoked } of [file.system, file.hub, ...Object.values(file.members)]) {
      if (!account.startsWith('A') || !publicOf(signer).startsWith('A') || !Array.isArray(revoked)) throw new TypeError()
    }
    if (typeof file.fed === 'string' && publicOf(file.operator.signer).startsWith('O')) return file
  } catch {
    // the cause would quote a key
  }
  throw refuse(path, 'expected the authority over a broker, as it was founded')
}

/**
 * A new signing key of the operator and a new system account, after a theft of the authority: under the root key, from the safe. The broker
 * believes the new one once it starts with the new trust; then the hub pushes every account anew, and old claims are nothing.
 * @throws KEY_FILE_INVALID if the root key is not the one that this authority was founded with
 */
export async function rotateOperator(path: string, rootPath: string): Promise<Authority> {
  const before = await readFileOf(path)
  const refusal = (reason: string, cause?: unknown): ExchangeError => refuse(rootPath, reason, cause)
  const seed = (await readOwnerOnly(rootPath, FILE_MAX_BYTES, refusal)).trim()
  let root: KeyPair
  try {
    root = pairOf(seed)
  } catch {
    throw refusal('expected the root key of the operator, as it was founded')
  }
  if (decode(before.operator.token).iss !== root.getPublicKey()) throw refusal('expected the root key of this authority')
  const signer = createOperator()
  const system = newAccount()
  const token = await encodeOperator(`hutong-${before.fed}`, root, {
    signing_keys: [signer.getPublicKey()],
    system_account: system.account,
  })
  await replaceFile(path, { ...before, operator: { token, signer: seedOf(signer) }, system })
  return openAuthority(path)
}

async function replaceFile(path: string, file: AuthorityFile): Promise<void> {
  await rm(`${path}.next`, { force: true })
  await writeOnce(`${path}.next`, `${JSON.stringify(file, null, 2)}\n`)
  await rename(`${path}.next`, path)
}

/** @throws KEY_FILE_INVALID */
export async function openAuthority(path: string): Promise<Authority> {
  let file = await readFileOf(path)
  const issued = new Map<string, { content: string; token: string }>()
  let writing: Promise<unknown> = Promise.resolve()

  /** One change at a time, each on the disk before it counts. */
  function change<T>(act: (before: AuthorityFile) => { file: AuthorityFile; result: T }): Promise<T> {
    const done = writing.then(async () => {
      // Another process of the hub may have changed it.
      file = await readFileOf(path)
      const { file: next, result } = act(file)
      if (next !== file) {
        await replaceFile(path, next)
        file = next
      }
      return result
    })
    writing = done.catch(() => {})
    return done
  }

  const keysOf = (from: AuthorityFile, program: string): AccountKeys | undefined =>
    program === HUB ? from.hub : Object.hasOwn(from.members, program) ? from.members[program] : undefined
  const withKeys = (from: AuthorityFile, program: string, keys: AccountKeys): AuthorityFile =>
    program === HUB ? { ...from, hub: keys } : { ...from, members: { ...from.members, [program]: keys } }

  function accountOf(program: string): Promise<AccountKeys> {
    if (program !== HUB && !/^[0-9]{6}$/.test(program))
      throw new ExchangeError('MEMBER_UNKNOWN', 'expected hub or a member code of six digits')
    return change(before => {
      const keys = keysOf(before, program)
      if (keys !== undefined) return { file: before, result: keys }
      const made = newAccount()
      return { file: withKeys(before, program, made), result: made }
    })
  }

  async function claim(name: string, { account, signer }: AccountKeys, content: object): Promise<AccountClaim> {
    const text = JSON.stringify([signer, content])
    const before = issued.get(account)
    if (before?.content === text) return { name, account, token: before.token }
    const token = await encodeAccount(`hutong-${name}`, fromPublic(account), content, { signer: pairOf(file.operator.signer) })
    issued.set(account, { content: text, token })
    return { name, account, token }
  }

  const signed = ({ signer, revoked }: AccountKeys) => ({ signer: publicOf(signer), revoked })

  async function user(name: string, { account, signer, revoked }: AccountKeys, key: string): Promise<string> {
    const pair = userKey(key)
    if (revoked.includes(key)) throw new ExchangeError('KEY_OUT_OF_RANGE', `${name}: expected a key that was never revoked`)
    const limits = { allowed_connection_types: ['STANDARD' as const] }
    return encodeUser(`hutong-${name}`, pair, fromPublic(account), limits, { signer: pairOf(signer) })
  }

  return {
    fed: file.fed,
    operatorToken: file.operator.token,
    system: () => claim('system', file.system, systemAccount(signed(file.system))),
    async claims(members) {
      const accounts = new Map<string, AccountKeys>()
      await accountOf(HUB)
      for (const { code } of members) accounts.set(code, await accountOf(code))
      const rows = members.map(member => ({ member, keys: accounts.get(member.code) ?? file.hub }))
      const named = rows.map(({ member: { code }, keys: { account } }) => ({ code, account }))
      const hub = await claim(HUB, file.hub, hubAccount(named, signed(file.hub)))
      // Whoever had an account and is in no membership, because a thief admitted it, has a closed one.
      const strangers = Object.keys(file.members).filter(code => !accounts.has(code))
      const nobody = strangers.flatMap(code => {
        const keys = keysOf(file, code)
        return keys === undefined ? [] : [{ member: { code, audiences: [], closed: true }, keys }]
      })
      // Members first: the hub's account imports from theirs, and the broker looks them up when it reads it.
      return [
        ...(await Promise.all(
          [...rows, ...nobody].map(({ member, keys }) =>
            claim(member.code, keys, memberAccount(member, file.hub.account, signed(keys))),
          ),
        )),
        hub,
      ]
    },
    admit: async (program, key) => user(program, await accountOf(program), key),
    admitSystem: key => user('system', file.system, key),
    async revoke(program, key) {
      userKey(key)
      await accountOf(program)
      await change(before => {
        const keys = keysOf(before, program)
        if (keys === undefined || keys.revoked.includes(key)) return { file: before, result: undefined }
        return { file: withKeys(before, program, { ...keys, revoked: [...keys.revoked, key] }), result: undefined }
      })
    },
    async rotate(program) {
      const keys = await accountOf(program)
      await change(before => ({
        file: withKeys(before, program, { ...keys, signer: seedOf(createAccount()) }),
        result: undefined,
      }))
    },
  }
}

/** @throws KEY_FILE_INVALID unless it is the public half of a user's NKey */
function userKey(key: string): KeyPair {
  try {
    if (key.startsWith('U')) return fromPublic(key)
  } catch {
    // said below
  }
  throw new ExchangeError('KEY_FILE_INVALID', 'expected the public NKey of a user, which begins with U')
}
