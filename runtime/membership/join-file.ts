/**
 * The file that an invited organisation is given. It says where the hub is, which anchor key to trust, and holds a one-time secret. Who
 * steals it can ask to join and no more: nobody is admitted whose key's fingerprint was not told to the hub by another way.
 */
import { ExchangeError } from '../../schemas/errors.ts'

export type JoinFile = {
  readonly hutong: 'join'
  readonly fed: string
  readonly code: string
  readonly zh: string
  readonly en: string
  /** address of the hub's HTTP */
  readonly hub: string
  /** addresses of the broker */
  readonly brokers: string
  /** certificates that the broker's must lead to, PEM */
  readonly ca: string | null
  /** thumbprint of the anchor key: to be compared with what was told by another way */
  readonly anchor: string
  readonly ticket: string
  readonly secret: string
  /** RFC 3339 */
  readonly expires: string
}

const SHAPES: readonly (readonly [name: keyof JoinFile, shape: RegExp])[] = [
  ['hutong', /^join$/],
  ['fed', /^[a-z0-9][a-z0-9-]{1,62}$/],
  ['code', /^[0-9]{6}$/],
  ['zh', /^\P{Cc}{1,100}$/u],
  ['en', /^\P{Cc}{1,100}$/u],
  ['hub', /^https?:\/\/\S+$/],
  ['brokers', /^(?:nats|tls):\/\/\S+$/],
  ['anchor', /^[A-Za-z0-9_-]{43}$/],
  ['ticket', /^[A-Za-z0-9_-]{16,64}$/],
  ['secret', /^[A-Za-z0-9_-]{43}$/],
  ['expires', /^\d{4}-\d{2}-\d{2}T[\d:.]+Z$/],
]

/** Nothing of the content is quoted. @throws JOIN_FILE_INVALID naming the member that is wrong */
export function parseJoinFile(text: string, path: string): JoinFile {
  let value: { readonly [name: string]: unknown } | null = null
  try {
    value = JSON.parse(text) as typeof value
  } catch {
    // said below
  }
  if (typeof value !== 'object' || value === null) throw new ExchangeError('JOIN_FILE_INVALID', `${path}: expected a JSON object`)
  for (const [name, shape] of SHAPES) {
    if (!shape.test(String(value[name]))) throw new ExchangeError('JOIN_FILE_INVALID', `${path}: ${name} is missing or malformed`)
  }
  const { ca } = value
  if (ca !== null && typeof ca !== 'string') throw new ExchangeError('JOIN_FILE_INVALID', `${path}: ca is malformed`)
  return value as unknown as JoinFile
}

export const formatJoinFile = (file: JoinFile): string => `${JSON.stringify(file, null, 2)}\n`
