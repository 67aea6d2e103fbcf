/** What a compiled Open Contracting release says, in the words of the dataset `trade`. Choices are listed in the README. */

import { judgeUscc } from '../../schemas/codes/uscc.ts'
import type { JsonObject, JsonValue } from '../../schemas/record.ts'
import { readDay, readInstant } from '../dates.ts'
import { type ExactJson, type ExactObject, exactText, isExactObject } from '../exact-json.ts'
import { plainDecimal, sumDecimals } from '../money.ts'
import { type RowFault, rowFault } from '../row-fault.ts'

const object = (value: ExactJson | undefined): ExactObject => (isExactObject(value) ? value : {})
const objects = (value: ExactJson | undefined): readonly ExactObject[] => (Array.isArray(value) ? value.filter(isExactObject) : [])
const text = (value: ExactJson | undefined): string | undefined => exactText(value)?.trim() || undefined

/** A class by OCDS's category, or by the division of a CPV code where the release names none; Z, others, where neither says. */
const CLASS_OF_CATEGORY: { readonly [category: string]: string } = { works: 'A99', goods: 'D', services: 'D' }

const classOfItems = (items: readonly ExactObject[]): string | undefined => {
  const [cpv] = items.map(item => object(item.classification)).filter(({ scheme }) => text(scheme) === 'CPV')
  const division = text(cpv?.id)?.slice(0, 2)
  return division === undefined ? undefined : division === '45' ? 'A99' : 'D'
}

const VOID: ReadonlySet<string> = new Set(['cancelled', 'unsuccessful', 'withdrawn'])

const isVoid = (part: ExactObject): boolean => VOID.has(text(part.status) ?? '')

type Parts = {
  readonly planning: ExactObject
  readonly tender: ExactObject
  readonly awards: readonly ExactObject[]
  readonly contracts: readonly ExactObject[]
}

const partsOf = (release: ExactObject): Parts => ({
  planning: object(release.planning),
  tender: object(release.tender),
  awards: objects(release.awards).filter(award => !isVoid(award)),
  contracts: objects(release.contracts).filter(contract => !isVoid(contract)),
})

/** The latest stage that applies; the first row that holds. */
const STAGES: readonly (readonly [stage: string, holds: (parts: Parts) => boolean])[] = [
  ['performed', ({ contracts }) => contracts.some(one => isExactObject(one.implementation) || text(one.status) === 'terminated')],
  ['contracted', ({ contracts }) => contracts.length > 0],
  ['awarded', ({ awards }) => awards.some(award => text(award.status) !== 'pending')],
  ['cancelled', ({ tender }) => isVoid(tender)],
  ['planned', ({ tender }) => ['planning', 'planned', undefined].includes(text(tender.status))],
  ['tendered', () => true],
]

type Value = { readonly amount: string; readonly currency: string }

const priceOf = (value: ExactJson | undefined): Value | undefined => {
  const { amount, currency } = object(value)
  const literal = exactText(amount)
  const decimal = literal === undefined ? null : plainDecimal(literal.trim())
  return decimal === null ? undefined : { amount: decimal, currency: text(currency) ?? 'CNY' }
}

/** The exact sum of the parts' values; undefined where one has none or the currencies differ. */
const sumOf = (parts: readonly ExactObject[]): Value | undefined => {
  const values = parts.map(part => priceOf(part.value))
  const [first] = values
  if (first === undefined) return undefined
  const amounts = values.flatMap(value => (value?.currency === first.currency ? [value.amount] : []))
  return amounts.length === values.length ? { amount: sumDecimals(amounts), currency: first.currency } : undefined
}

/** An organisation's code: its unified social credit code if it has one, otherwise its identifier of org-id.guide. */
const party = (reference: ExactObject, parties: readonly ExactObject[]): JsonObject | undefined => {
  const full = parties.find(one => text(one.id) !== undefined && text(one.id) === text(reference.id)) ?? {}
  const name = text(reference.name) ?? text(full.name)
  if (name === undefined) return undefined
  const identifier = text(object(full.identifier).id)
  const uscc = identifier === undefined ? undefined : judgeUscc(identifier)
  const code = uscc !== undefined && uscc.outer !== 'unreadable' ? uscc.normalised : text(reference.id)
  return code === undefined ? { name } : { name, code }
}

const winners = (awards: readonly ExactObject[], parties: readonly ExactObject[], currency: string | undefined): JsonObject[] => {
  const found = new Map<string, JsonObject>()
  for (const award of awards) {
    const suppliers = objects(award.suppliers)
    const value = suppliers.length === 1 ? priceOf(award.value) : undefined
    for (const supplier of suppliers) {
      const one = party(supplier, parties)
      if (one === undefined) continue
      const name = JSON.stringify(one)
      const twice = found.has(name)
      const withAmount = !twice && value !== undefined && value.currency === currency ? { ...one, amount: value.amount } : one
      found.set(name, withAmount)
    }
  }
  return [...found.values()]
}

const latestDay = (parts: readonly ExactObject[], member: string): string | undefined =>
  parts
    .flatMap(part => {
      const written = text(part[member])
      const day = written === undefined ? null : (readDay(written) ?? readInstant(written)?.slice(0, 10) ?? null)
      return day === null ? [] : [day]
    })
    .sort()
    .at(-1)

const announcedOn = ({ tender }: Parts): string | undefined =>
  latestDay(
    objects(tender.documents)
      .filter(one => text(one.documentType) === 'tenderNotice')
      .slice(0, 1),
    'datePublished',
  ) ?? latestDay([object(tender.tenderPeriod)], 'startDate')

export type TradeRead = { readonly ok: true; readonly body: JsonObject } | { readonly ok: false; readonly fault: RowFault }

const lacks = (field: string, en: string, zh: string): TradeRead => ({
  ok: false,
  fault: rowFault('ROW_FIELD_MISSING', field, 'required', en, zh),
})

/** The record's body for what a compiled release says. */
export const tradeOf = (release: ExactObject, region: string): TradeRead => {
  const parts = partsOf(release)
  const { planning, tender, awards, contracts } = parts
  const ocid = text(release.ocid)
  if (ocid === undefined) return lacks('ocid', 'A release names its contracting process', '发布应标明 ocid')
  const titled = [tender, object(planning.budget), ...contracts, ...awards]
  const title = titled.map(part => text(part.title) ?? text(part.project)).find(found => found !== undefined)
  if (title === undefined)
    return lacks('tender/title', 'A release has a title of tender, contract or award', '应有招标、合同或中标的标题')
  const category = text(tender.mainProcurementCategory)
  const items = [tender, ...contracts, ...awards].flatMap(part => objects(part.items))
  const tradeClass = (category === undefined ? undefined : CLASS_OF_CATEGORY[category]) ?? classOfItems(items) ?? 'Z'
  const method = text(tender.procurementMethod)
  const competed = method === undefined || method === 'open' || method === 'selective'
  const stage = STAGES.find(([, holds]) => holds(parts))?.[0] ?? 'tendered'
  const awarded = stage === 'awarded' || stage === 'contracted' || stage === 'performed'
  const deal = awarded ? (sumOf(contracts) ?? sumOf(awards)) : undefined
  const budget = priceOf(tender.value) ?? priceOf(object(planning.budget).amount)
  if (deal !== undefined && budget !== undefined && deal.currency !== budget.currency)
    return {
      ok: false,
      fault: rowFault('ROW_FIELD_INVALID', 'tender/value', 'money-currency', 'A record has one currency', '一条记录只有一种币种'),
    }

  const parties = objects(release.parties)
  const buyer = object(release.buyer)
  const entity = object(tender.procuringEntity)
  const tenderer = party(buyer, parties) ?? party(entity, parties)
  const agency = text(buyer.id) !== text(entity.id) ? party(entity, parties) : undefined
  const currency = deal?.currency ?? budget?.currency
  const won = awarded ? winners(awards, parties, currency) : []
  const opening = text(object(tender.bidOpening).date)
  const said: { readonly [name: string]: JsonValue | null | undefined } = {
    deal_code: ocid,
    level: awarded ? 'deal' : 'project',
    class: tradeClass,
    kind: tradeClass !== 'D' && competed ? 'tender' : 'procurement',
    stage,
    title,
    region,
    tenderer,
    agency: agency?.name === tenderer?.name ? undefined : agency,
    winners: won.length === 0 ? undefined : won,
    currency,
    budget: budget?.amount,
    amount: deal?.amount,
    announced_on: stage === 'planned' ? undefined : announcedOn(parts),
    opened_at: opening === undefined ? undefined : readInstant(opening),
    decided_on: awarded ? latestDay(awards, 'date') : undefined,
    contracted_on: latestDay(contracts, 'dateSigned'),
    ocid,
  }
  const body: { [name: string]: JsonValue } = {}
  for (const [name, value] of Object.entries(said)) if (value !== undefined && value !== null) body[name] = value
  return { ok: true, body }
}
