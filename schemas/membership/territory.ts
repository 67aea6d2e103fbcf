/**
 * Territories. A member vouches for nodes, platforms, certification authorities and expert pools of its territory, and for nothing
 * else; where a company is registered plays no part, because companies of any province register at any centre. Codes are read by the
 * dated table of regions: a retired code belongs, from its end on, to whoever has its successors.
 */
import { REGIONS, type Region, regionAt } from '../codes/regions.ts'
import { ExchangeError } from '../errors.ts'

export const NATIONAL_CODE = '000000'

/** What a member vouches for, and where in a statement the region of it stands. */
export const VOUCHED = [
  { kind: 'node', en: 'a node', zh: '节点' },
  { kind: 'platform', en: 'a trading platform', zh: '交易平台' },
  { kind: 'ca', en: 'a certification authority', zh: '电子认证机构' },
  { kind: 'pool', en: 'an expert pool', zh: '专家库' },
] as const
export type VouchedKind = (typeof VOUCHED)[number]['kind']

/** Day of a time in China, `YYYY-MM-DD`: the tables of regions are Chinese ones. */
export const chineseDay = (time: Date): string => new Date(time.getTime() + 8 * 3_600_000).toISOString().slice(0, 10)

/** Province, city and county of GB/T 2260 are two digits each; what is wider ends in zeros. */
const within = (code: string, wider: string): boolean => code.startsWith(wider.replace(/(?:00){1,2}$/, ''))

/** The codes that a code stands for on a day: itself, or its successors once it is retired. Empty before it came into force. */
function codesOn(code: string, day: string): readonly string[] {
  const found = regionAt(code, day)
  if (found === null) return []
  if (found.found !== 'not-in-force') return [code]
  const { region }: { readonly region: Region } = found
  const ended = region.valid_to !== null && region.valid_to < day
  return ended ? region.successors.filter(next => next !== code).flatMap(next => codesOn(next, day)) : []
}

/** How closely a territory covers a code on a day: digits that agree, or null if it does not. */
export function coverage(territory: readonly string[], code: string, day: string): number | null {
  const codes = codesOn(code, day)
  if (codes.length === 0) return null
  let least = 6
  for (const one of codes) {
    const closest = Math.max(
      0,
      ...territory.filter(wider => within(one, wider)).map(wider => wider.replace(/(?:00){1,2}$/, '').length),
    )
    if (closest === 0) return null
    least = Math.min(least, closest)
  }
  return least
}

export type TerritoryHolder = {
  readonly code: string
  readonly territory: readonly string[]
  readonly standing?: 'admitted' | 'suspended' | 'left'
}

/**
 * Who vouches for a region on a day: of those whose territory covers it, the closest (a city that is a member, before its province).
 * Who has left vouches for nothing; who is suspended keeps others out of its territory.
 */
export function voucherFor<Holder extends TerritoryHolder>(holders: Iterable<Holder>, code: string, day: string): Holder | null {
  let best: { readonly holder: Holder; readonly digits: number } | null = null
  for (const holder of holders) {
    const digits = coverage(holder.territory, code, day)
    if (holder.standing !== 'left' && digits !== null && (best === null || digits > best.digits)) best = { holder, digits }
  }
  return best?.holder ?? null
}

/** @throws TERRITORY_FOREIGN unless the member is the one that vouches for that region on that day */
export function checkVouched(
  holders: Iterable<TerritoryHolder>,
  member: string,
  vouched: { readonly kind: VouchedKind; readonly region: string },
  day: string,
): void {
  const voucher = voucherFor(holders, vouched.region, day)
  if (voucher?.code === member) return
  const row = VOUCHED.find(one => one.kind === vouched.kind)
  throw new ExchangeError(
    'TERRITORY_FOREIGN',
    `${member}: expected ${row?.en ?? vouched.kind} of its own territory on ${day}, ${vouched.region} is ${voucher?.code ?? 'nobody'}'s`,
  )
}

/** The shape of a member's code, by its kind. */
const SHAPES: { readonly [kind: string]: RegExp } = {
  province: /^(?!00)[0-9]{2}0000$/,
  city: /^(?!00)[0-9]{2}(?!00)[0-9]{2}00$/,
  national: /^000000$/,
}

/** @throws MEMBER_CODE_INVALID unless the code is one in force on that day for a member of that kind */
export function checkMemberCode(code: string, kind: string, day: string): void {
  const shape = SHAPES[kind]
  if (shape === undefined)
    throw new ExchangeError('MEMBER_CODE_INVALID', `${code}: expected a kind of ${Object.keys(SHAPES).join(', ')}, got ${kind}`)
  const known = code === NATIONAL_CODE || codesOn(code, day).includes(code)
  if (!shape.test(code) || !known)
    throw new ExchangeError('MEMBER_CODE_INVALID', `${code}: expected the code of a ${kind} in force on ${day}`)
}

/** A code of the table or below one of it. @throws TERRITORY_FOREIGN for a code that is none on that day */
export function checkRegion(code: string, day: string): void {
  if (codesOn(code, day).length === 0)
    throw new ExchangeError('TERRITORY_FOREIGN', `expected the code of a region in force on ${day}, got ${code}`)
}

/** The region that a platform's code begins with, null where it begins with none. */
export const regionOfPlatform = (platform: string): string | null => {
  const code = /^[0-9]{6}/.exec(platform)?.[0] ?? null
  return code !== null && REGIONS.some(region => region.code.slice(0, 2) === code.slice(0, 2)) ? code : null
}
