/** The JSON Schemas of the wire and of the datasets, as read from their files, and the types that are generated from them. */
import credit from './datasets/credit.schema.json' with { type: 'json' }
import type { OpenDatasetName } from './datasets/datasets.ts'
import entity from './datasets/entity.schema.json' with { type: 'json' }
import expert from './datasets/expert.schema.json' with { type: 'json' }
import indicator from './datasets/indicator.schema.json' with { type: 'json' }
import supervision from './datasets/supervision.schema.json' with { type: 'json' }
import trade from './datasets/trade.schema.json' with { type: 'json' }
import trust from './datasets/trust.schema.json' with { type: 'json' }
import type { AllianceClaims } from './generated/alliance.ts'
import type { CreditBody } from './generated/credit.ts'
import type { EntityBody } from './generated/entity.ts'
import type { EnvelopeClaims } from './generated/envelope.ts'
import type { EpochClaims } from './generated/epoch.ts'
import type { ExpertBody } from './generated/expert.ts'
import type { HeadClaims } from './generated/head.ts'
import type { IndicatorBody } from './generated/indicator.ts'
import type { JoinClaims } from './generated/join.ts'
import type { KeysClaims } from './generated/keys.ts'
import type { MembershipClaims } from './generated/membership.ts'
import type { PossessionClaims } from './generated/possession.ts'
import type { Problem } from './generated/problem.ts'
import type { ReceiptClaims } from './generated/receipt.ts'
import type { WireRecord } from './generated/record.ts'
import type { RedactionClaims } from './generated/redaction.ts'
import type { SupervisionBody } from './generated/supervision.ts'
import type { TradeBody } from './generated/trade.ts'
import type { TrustBody } from './generated/trust.ts'
import type { TrustListClaims } from './generated/trust-list.ts'
import alliance from './wire/alliance.schema.json' with { type: 'json' }
import envelope from './wire/envelope.schema.json' with { type: 'json' }
import epoch from './wire/epoch.schema.json' with { type: 'json' }
import head from './wire/head.schema.json' with { type: 'json' }
import join from './wire/join.schema.json' with { type: 'json' }
import keys from './wire/keys.schema.json' with { type: 'json' }
import membership from './wire/membership.schema.json' with { type: 'json' }
import possession from './wire/possession.schema.json' with { type: 'json' }
import problem from './wire/problem.schema.json' with { type: 'json' }
import receipt from './wire/receipt.schema.json' with { type: 'json' }
import record from './wire/record.schema.json' with { type: 'json' }
import redaction from './wire/redaction.schema.json' with { type: 'json' }
import trustList from './wire/trust-list.schema.json' with { type: 'json' }

/** A JSON Schema 2020-12 document, or a part of one. */
export type JsonSchema = { readonly [keyword: string]: unknown }

export type DatasetBodies = {
  credit: CreditBody
  entity: EntityBody
  expert: ExpertBody
  indicator: IndicatorBody
  supervision: SupervisionBody
  trade: TradeBody
  trust: TrustBody
}
type WireTypes = {
  alliance: AllianceClaims
  envelope: EnvelopeClaims
  epoch: EpochClaims
  head: HeadClaims
  join: JoinClaims
  keys: KeysClaims
  membership: MembershipClaims
  possession: PossessionClaims
  problem: Problem
  receipt: ReceiptClaims
  record: WireRecord
  redaction: RedactionClaims
  'trust-list': TrustListClaims
}
type WireName = keyof WireTypes

export const DATASET_SCHEMAS = { credit, entity, expert, indicator, supervision, trade, trust } as const satisfies {
  [name in OpenDatasetName]: JsonSchema
}
export const WIRE_SCHEMAS = {
  alliance,
  envelope,
  epoch,
  head,
  join,
  keys,
  membership,
  possession,
  problem,
  receipt,
  record,
  redaction,
  'trust-list': trustList,
} as const satisfies {
  [name in WireName]: JsonSchema
}
