/**
 * The tables of 公共资源交易平台系统数据规范 V2.0 (发改办法规〔2018〕1156号) that become records: one row per kind. Names are the
 * specification's where its text is known, and of its style where it is not (README, "The national shape").
 */

import type { OpenDatasetName } from '../../schemas/datasets/datasets.ts'
import type { JsonValue } from '../../schemas/record.ts'
import type { ConverterName } from '../converters.ts'
import type { FieldReading, FieldRule } from '../fields.ts'

export type Kind = {
  /** TABLE of the envelope */
  readonly name: string
  readonly dataset: OpenDatasetName
  /** the field that tells the kind where TABLE is absent; kinds are tried in the order of the table */
  readonly sign: string
  /** the field that is the record's key */
  readonly key: string
  /** whether a deletion may name its record by DATA_KEY alone; an expert's may not, since local keys are made of identities */
  readonly keyFromEnvelope: boolean
  /** the field that names the record which must exist first */
  readonly parent: string | null
  /** the field and its values that say that the record is about a natural person, which never crosses */
  readonly person: { readonly field: string; readonly values: readonly string[] } | null
  readonly fields: readonly FieldRule[]
}

type Options = Omit<FieldReading, 'from' | 'as'>

const from = (name: string, as: ConverterName, options: Options = {}): FieldReading => ({ from: name, as, ...options })
const must = (target: string, ...readings: readonly FieldReading[]): FieldRule => ({ target, required: true, readings })
const may = (target: string, ...readings: readonly FieldReading[]): FieldRule => ({ target, required: false, readings })
const always = (target: string, value: JsonValue): FieldRule => ({ target, required: true, readings: [], fallback: value })
const orElse = (rule: FieldRule, fallback: JsonValue): FieldRule => ({ ...rule, fallback })

/** PRICE_UNIT and REG_UNIT: 0 yuan, 1 ten thousand yuan. */
const UNITS = { '0': '元', '1': '万元' } as const

const price = (name: string): FieldReading =>
  from(name, 'amount', { unit: '元', unitFrom: 'PRICE_UNIT', units: UNITS, currencyFrom: 'CURRENCY_CODE' })

/** TENDER_MODE by number and by the words of the laws. */
const MODES = {
  '1': 'tender',
  '2': 'tender',
  公开招标: 'tender',
  邀请招标: 'tender',
  竞争性谈判: 'procurement',
  竞争性磋商: 'procurement',
  询价: 'procurement',
  单一来源: 'procurement',
  框架协议: 'procurement',
  拍卖: 'auction',
  挂牌: 'listing',
} as const

const STAGES = {
  '1': 'planned',
  '2': 'tendered',
  '3': 'awarded',
  '4': 'contracted',
  '5': 'performed',
  '9': 'cancelled',
  计划: 'planned',
  招标: 'tendered',
  定标: 'awarded',
  合同: 'contracted',
  履约: 'performed',
  终止: 'cancelled',
} as const

const FLAGS = { '0': false, '1': true, 否: false, 是: true, N: false, Y: true } as const

/** LEGAL_ROLE and BODY_ROLE: several roles stand in one field, parted by commas or semicolons. */
const ROLES = {
  '1': 'tenderer',
  '2': 'bidder',
  '3': 'agency',
  '4': 'purchaser',
  '5': 'supplier',
  '6': 'assignor',
  '7': 'assignee',
  '9': 'other',
  招标人: 'tenderer',
  采购人: 'purchaser',
  投标人: 'bidder',
  供应商: 'supplier',
  出让人: 'assignor',
  转让人: 'assignor',
  受让人: 'assignee',
  代理机构: 'agency',
  招标代理: 'agency',
  其他: 'other',
} as const

const tradeFields = (level: 'project' | 'deal', code: string, title: string): readonly FieldRule[] => [
  must('deal_code', from('UNIFIED_DEAL_CODE', 'text'), from(code, 'text')),
  always('level', level),
  ...(level === 'deal' ? [must('parent', from('TENDER_PROJECT_CODE', 'text'))] : []),
  must('class', from('TENDER_PROJECT_TYPE', 'deal-class'), from('UNIFIED_DEAL_CODE', 'class-of-deal-code')),
  must(
    'kind',
    from('TENDER_MODE', 'code-table', { values: MODES }),
    from('TENDER_PROJECT_TYPE', 'kind-of-class'),
    from('UNIFIED_DEAL_CODE', 'kind-of-deal-code'),
  ),
  orElse(must('stage', from('PROJECT_STAGE', 'code-table', { values: STAGES })), level === 'deal' ? 'awarded' : 'tendered'),
  must('title', from(title, 'text')),
  must('region', from('REGION_CODE', 'region')),
  may('tenderer.name', from('TENDERER_NAME', 'text')),
  may('tenderer.code', from('TENDERER_CODE', 'code')),
  may('agency.name', from('TENDER_AGENCY_NAME', 'text')),
  may('agency.code', from('TENDER_AGENCY_CODE', 'code')),
  may('winners.0.name', from('WIN_BIDDER_NAME', 'text')),
  may('winners.0.code', from('WIN_BIDDER_CODE', 'code')),
  orElse(may('currency', from('CURRENCY_CODE', 'currency')), 'CNY'),
  may('budget', price('CONTRACT_RECKON_PRICE')),
  may('amount', price('DEAL_AMOUNT'), price('CONTRACT_PRICE'), price('BID_AMOUNT')),
  may('expert_seats', from('EXPERT_SEATS', 'integer')),
  may('announced_on', from('NOTICE_SEND_TIME', 'date')),
  may('opened_at', from('BID_OPEN_TIME', 'datetime')),
  may('decided_on', from('WIN_BID_TIME', 'date')),
  may('contracted_on', from('CONTRACT_SIGN_TIME', 'date')),
]

/** BODY_TYPE; 6 is a natural person and has no row. */
const BODIES = {
  '1': 'enterprise',
  '2': 'institution',
  '3': 'government',
  '4': 'social-organisation',
  '5': 'individual-business',
  '9': 'other',
  企业: 'enterprise',
  企业法人: 'enterprise',
  法人: 'enterprise',
  事业单位: 'institution',
  机关: 'government',
  社会团体: 'social-organisation',
  个体工商户: 'individual-business',
  其他: 'other',
} as const

const PERSON = { field: 'BODY_TYPE', values: ['6', '自然人', '个人'] } as const

const credit = (recordCode: string): readonly FieldRule[] => [
  must('record_code', from(recordCode, 'text')),
  must('subject.code', from('BODY_CODE', 'code')),
  must('subject.name', from('BODY_NAME', 'text')),
  orElse(must('subject.type', from('BODY_TYPE', 'code-table', { values: BODIES })), 'other'),
  may('subject.role', from('BODY_ROLE', 'code-table', { values: ROLES })),
]

export const KINDS: readonly Kind[] = [
  {
    name: 'BLACKLIST',
    dataset: 'credit',
    sign: 'BLACKLIST_CODE',
    key: 'BLACKLIST_CODE',
    keyFromEnvelope: true,
    parent: null,
    person: PERSON,
    fields: [
      ...credit('BLACKLIST_CODE'),
      always('kind', 'blacklist'),
      always('severity', 'serious'),
      must('authority', from('GOVERNMENT', 'text')),
      may('document_code', from('DOCUMENT_CODE', 'text')),
      must('decided_on', from('RECORD_DATE', 'date')),
      may('published_from', from('PUBLISH_START', 'date')),
      may('published_until', from('PUBLISH_END', 'date')),
      may('confined_from', from('CONFINED_START', 'date')),
      may('confined_until', from('CONFINED_END', 'date')),
      may('actions', from('CONFINED_ACTION', 'list')),
      may('scope', from('SCOPE', 'text')),
      must('region', from('REGION_CODE', 'region')),
      may('revoked', from('REVOCATION_STATUS', 'flag')),
      may('deal_code', from('UNIFIED_DEAL_CODE', 'text')),
    ],
  },
  {
    name: 'VIOLATING',
    dataset: 'credit',
    sign: 'VIOLATING_CODE',
    key: 'VIOLATING_CODE',
    keyFromEnvelope: true,
    parent: null,
    person: PERSON,
    fields: [
      ...credit('VIOLATING_CODE'),
      always('kind', 'violation'),
      may('severity', from('VIOLATING_LEVEL', 'code-table', { values: { '1': 'minor', '2': 'general', '3': 'serious' } })),
      must('authority', from('GOVERNMENT', 'text')),
      may('document_code', from('DOCUMENT_CODE', 'text')),
      must('decided_on', from('VIOLATING_TIME', 'date')),
      may('published_from', from('PUBLISH_START', 'date')),
      may('published_until', from('PUBLISH_END', 'date')),
      may('confined_from', from('CONFINED_START', 'date')),
      may('confined_until', from('CONFINED_END', 'date')),
      may('actions', from('CONFINED_ACTION', 'list')),
      may('violation_type', from('VIOLATING_TYPE', 'text')),
      may('scope', from('SCOPE', 'text')),
      must('region', from('REGION_CODE', 'region')),
      may('revoked', from('REVOCATION_STATUS', 'flag')),
      may('deal_code', from('UNIFIED_DEAL_CODE', 'text')),
    ],
  },
  {
    name: 'BID_SECTION',
    dataset: 'trade',
    sign: 'BID_SECTION_CODE',
    key: 'BID_SECTION_CODE',
    keyFromEnvelope: true,
    parent: 'TENDER_PROJECT_CODE',
    person: null,
    fields: tradeFields('deal', 'BID_SECTION_CODE', 'BID_SECTION_NAME'),
  },
  {
    name: 'DEAL',
    dataset: 'trade',
    sign: 'DEAL_NAME',
    key: 'UNIFIED_DEAL_CODE',
    keyFromEnvelope: true,
    parent: 'TENDER_PROJECT_CODE',
    person: null,
    fields: tradeFields('deal', 'UNIFIED_DEAL_CODE', 'DEAL_NAME'),
  },
  {
    name: 'TENDER_PROJECT',
    dataset: 'trade',
    sign: 'TENDER_PROJECT_CODE',
    key: 'TENDER_PROJECT_CODE',
    keyFromEnvelope: true,
    parent: null,
    person: null,
    fields: tradeFields('project', 'TENDER_PROJECT_CODE', 'TENDER_PROJECT_NAME'),
  },
  {
    name: 'EXPERT',
    dataset: 'expert',
    sign: 'MAJOR_CODE',
    key: 'EXPERT_PSEUDONYM',
    keyFromEnvelope: false,
    parent: null,
    person: null,
    fields: [
      must('pseudonym', from('EXPERT_PSEUDONYM', 'text')),
      must('classes', from('MAJOR_CODE', 'expert-classes')),
      must('main_class', from('IS_MAIN', 'main-class'), from('MAJOR_CODE', 'main-class')),
      must('region', from('AREA', 'region'), from('REGION_CODE', 'region')),
      may('industry', from('INDUSTRY', 'text')),
      must('available', from('DMISSON', 'code-table', { values: FLAGS })),
    ],
  },
  {
    name: 'LEGAL_PERSON',
    dataset: 'entity',
    sign: 'LEGAL_CODE',
    key: 'LEGAL_CODE',
    keyFromEnvelope: true,
    parent: null,
    person: null,
    fields: [
      must('name', from('LEGAL_NAME', 'text')),
      must('code', from('LEGAL_CODE', 'code')),
      must('code_verdict', from('LEGAL_CODE', 'uscc-verdict')),
      may('roles', from('LEGAL_ROLE', 'list', { values: ROLES })),
      must('region', from('REGION_CODE', 'region'), from('LEGAL_CODE', 'region-of-uscc')),
      may('industry', from('LEGAL_INDUSTRY', 'industry')),
      may('type', from('LEGAL_TYPE', 'text')),
      may(
        'capital',
        from('REG_CAPITAL', 'money', { unit: '元', unitFrom: 'REG_UNIT', units: UNITS, currencyFrom: 'REG_CAP_CURRENCY' }),
      ),
      may('registered_on', from('REG_DATE', 'date')),
      may('status', from('LEGAL_STATUS', 'text')),
      may('scope', from('BUSINESS_SCOPE', 'text')),
    ],
  },
]
