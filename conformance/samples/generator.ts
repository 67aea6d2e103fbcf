/**
 * Row i of a table is a function of the seed, the system and i, with the days of its life given: the same seed makes the same rows
 * wherever and however often it runs. Codes are valid, amounts are decimal text, and nothing in a row is about a person.
 */
import { createHmac } from 'node:crypto'
import { formatDealCode } from '../../schemas/codes/deal-code.ts'
import { makeUscc } from '../../schemas/codes/uscc.ts'
import { dayAfter } from './days.ts'
import type { Profile } from './profiles.ts'
import { randomOf } from './random.ts'
import type { SourceRow } from './tables.ts'
import { AGENCY_TRADE, COMPANY_TYPES, cycleName, EXPERT_CLASSES, TENDERER_TRADE, TRADES, VIOLATIONS, WORKS } from './words.ts'

export type Scene = { readonly profile: Profile; readonly seed: string; readonly secret: Uint8Array }

/** `day` is when the row's fact happened, `at` when the system took it down. */
type Moment = { readonly day: string; readonly at: string }

const USCC_CHARACTERS = '0123456789ABCDEFGHJKLMNPQRTUWXY'
const ORGANISATIONS = 31 ** 6
const STRIDE = 104_729

/** Another code for every i: the stride and the number of codes have no divisor in common. */
const organisation = (first: string, start: number, i: number): string => {
  let rest = (start + i * STRIDE) % ORGANISATIONS
  let text = ''
  for (let place = 0; place < 6; place++) {
    text = `${USCC_CHARACTERS.charAt(rest % 31)}${text}`
    rest = Math.floor(rest / 31)
  }
  return `${first}${text}`
}

const decimal = (yuan: number, cents: number): string => `${yuan}.${String(cents).padStart(2, '0')}`

export const companyAt = ({ profile, seed }: Scene, i: number, { day, at }: Moment): SourceRow => {
  const random = randomOf(seed, profile.code, 'company', i)
  const [region, place] = random.pick(profile.places)
  const [trade, industry] = i % 10 === 0 ? AGENCY_TRADE : i % 10 < 3 ? TENDERER_TRADE : random.pick(TRADES)
  const type = random.pick(COMPANY_TYPES)
  const start = randomOf(seed, profile.code, 'organisations').integer(0, ORGANISATIONS - 1)
  return {
    legal_code: makeUscc(region, organisation('MA', start, i)),
    legal_name: `${place}样例${cycleName(i)}${trade}${type}`,
    legal_role: i % 10 === 0 ? '3' : i % 10 < 3 ? '1,4' : '2,5',
    region_code: region,
    legal_industry: industry,
    legal_type: type,
    reg_capital: decimal(random.integer(50, 50_000), 0),
    reg_unit: '1',
    reg_cap_currency: '156',
    reg_date: day,
    legal_status: '存续',
    platform_code: random.pick(profile.platforms),
    changed_at: at,
  }
}

/** Tenderers, agencies and bidders of trades are among the companies that a system starts with. */
const partyAt = (scene: Scene, name: string, i: number, remainders: readonly [number, ...number[]]): SourceRow => {
  const random = randomOf(scene.seed, scene.profile.code, name, i)
  const tens = Math.floor(scene.profile.sizes.companies / 10)
  return companyAt(scene, random.integer(0, tens - 1) * 10 + random.pick(remainders), { day: '', at: '' })
}

export const projectAt = (scene: Scene, i: number, { day, at }: Moment): SourceRow => {
  const { profile, seed } = scene
  const random = randomOf(seed, profile.code, 'project', i)
  const work = random.pick(WORKS)
  const [region, place] = random.pick(profile.places)
  const tenderer = partyAt(scene, 'tenderer', i, [1, 2])
  const agency = partyAt(scene, 'agency', i, [0])
  const [min, max] = work.amount
  return {
    tender_project_code: `P${profile.code}${String(i).padStart(8, '0')}`,
    tender_project_name: `${place}样例${random.pick(work.subjects)}项目（${i + 1}号）`,
    tender_project_type: work.code,
    tender_mode: work.mode,
    project_stage: '2',
    region_code: region,
    platform_code: random.pick(profile.platforms),
    tenderer_name: tenderer.legal_name ?? null,
    tenderer_code: tenderer.legal_code ?? null,
    tender_agency_name: agency.legal_name ?? null,
    tender_agency_code: agency.legal_code ?? null,
    // small works are more frequent than large ones
    contract_reckon_price: decimal(random.integer(min, random.integer(min, max)), 0),
    price_unit: '0',
    currency_code: '156',
    notice_send_time: dayAfter(day, -random.integer(21, 45)),
    changed_at: at,
  }
}

/** What has become of a deal, of a hundred; performed and contracted where enough time has passed. */
const stageOf = (lot: number, age: number): string => {
  if (lot < 6) return '2'
  if (lot < 9) return '9'
  return age > 120 ? '5' : age > 20 ? '4' : '3'
}

/** Deals 2k and 2k+1 belong to project k. `age` is the number of days that have passed since `day`. */
export const dealAt = (scene: Scene, i: number, project: SourceRow, { day, at, age }: Moment & { age: number }): SourceRow => {
  const { profile, seed } = scene
  const random = randomOf(seed, profile.code, 'deal', i)
  const type = project.tender_project_type ?? ''
  const platform = project.platform_code ?? ''
  const centre = makeUscc(profile.code, organisation('MB', Number(platform.slice(-2)), 0), '12')
  const group = type.padEnd(3, '0')
  const notice = project.notice_send_time ?? day
  const serial = String(i + 1)
    .padStart(6, '0')
    .slice(-6)
  const check = random.text(USCC_CHARACTERS, 1)
  const work = WORKS.find(one => one.code === type && one.mode === project.tender_mode) ?? WORKS[0]
  const lot = i % 2 === 0 ? '一' : '二'
  const title = `${project.tender_project_name}第${lot}${type.startsWith('A') ? '标段' : '包'}`
  const section = type.startsWith('A')
    ? {
        bid_section_code: `${project.tender_project_code}-${i % 2 === 0 ? '01' : '02'}`,
        bid_section_name: title,
        deal_name: null,
      }
    : { bid_section_code: null, bid_section_name: null, deal_name: title }
  const stage = stageOf(random.integer(0, 99), age)
  const decided = stage !== '2' && stage !== '9'
  const winner = partyAt(scene, 'winner', i, [3, 4, 5, 6, 7, 8, 9])
  const half = Math.floor(Number(project.contract_reckon_price ?? '0') / 2)
  const signed = stage === '4' || stage === '5'
  return {
    ...project,
    ...section,
    serial: String(i),
    unified_deal_code: formatDealCode({ class: group, uscc: centre, date: notice, serial, check, warnings: [] }),
    project_stage: stage,
    win_bidder_name: decided ? (winner.legal_name ?? null) : null,
    win_bidder_code: decided ? (winner.legal_code ?? null) : null,
    deal_amount: decided ? decimal(Math.floor((half * random.integer(820, 998)) / 1000), random.integer(0, 99)) : null,
    expert_seats: decided ? String(random.pick(work.seats)) : null,
    win_bid_time: decided ? day : null,
    contract_sign_time: signed ? dayAfter(day, random.integer(5, 20)) : null,
    withdrawn_at: null,
    changed_at: at,
  }
}

/** The pseudonym can be led back to the local number by whoever has the system's secret, which never leaves its database. */
export const expertAt = ({ profile, seed, secret }: Scene, i: number, { at }: Moment): SourceRow => {
  const random = randomOf(seed, profile.code, 'expert', i)
  const number = `ZJ${profile.code}${String(i).padStart(6, '0')}`
  const main = random.pick(EXPERT_CLASSES)
  const others = [random.pick(EXPERT_CLASSES), random.pick(EXPERT_CLASSES)]
  const [region] = random.pick(profile.places)
  return {
    expert_no: number,
    expert_pseudonym: createHmac('sha256', secret).update(number).digest('base64url'),
    major_code: [...new Set([main, ...others])].join(';'),
    is_main: main,
    area: region,
    industry: random.pick(TRADES)[0],
    dmisson: random.chance(0.85) ? '1' : '0',
    region_code: region,
    platform_code: random.pick(profile.platforms),
    changed_at: at,
  }
}

const bodyOf = (scene: Scene, name: string, i: number, day: string): SourceRow => {
  const company = partyAt(scene, name, i, [3, 4, 5, 6, 7, 8, 9])
  const { profile } = scene
  return {
    body_name: company.legal_name ?? null,
    body_code: company.legal_code ?? null,
    body_type: '1',
    body_role: '2',
    government: `${profile.zh}样例公共资源交易监督管理部门`,
    document_code: `${profile.zh}样例监字〔${day.slice(0, 4)}〕${i + 1}号`,
    region_code: profile.code,
    platform_code: randomOf(scene.seed, profile.code, name, 'platform', i).pick(profile.platforms),
  }
}

/** 国家发展改革委令第36号: how long a record of each severity is published, in days from the deciding document. */
const PUBLISHED_DAYS = { '1': [30, 90], '2': [90, 365], '3': [365, 1095] } as const
const SEVERITIES = ['1', '2', '2', '2', '3'] as const

export const violationAt = (scene: Scene, i: number, { day, at }: Moment): SourceRow => {
  const random = randomOf(scene.seed, scene.profile.code, 'violation', i)
  const severity = random.pick(SEVERITIES)
  const [least, most] = PUBLISHED_DAYS[severity]
  const until = dayAfter(day, random.integer(least, most))
  return {
    ...bodyOf(scene, 'violator', i, day),
    violating_code: `WF${scene.profile.code}${String(i).padStart(6, '0')}`,
    violating_time: day,
    violating_type: random.pick(VIOLATIONS),
    violating_level: severity,
    publish_start: day,
    publish_end: until,
    confined_start: severity === '1' ? null : day,
    confined_end: severity === '1' ? null : until,
    confined_action: severity === '1' ? null : '限制参加投标',
    changed_at: at,
  }
}

export const blacklistAt = (scene: Scene, i: number, { day, at }: Moment): SourceRow => {
  const random = randomOf(scene.seed, scene.profile.code, 'blacklist', i)
  const until = dayAfter(day, random.integer(365, 1095))
  return {
    ...bodyOf(scene, 'listed', i, day),
    blacklist_code: `HMD${scene.profile.code}${String(i).padStart(6, '0')}`,
    record_date: day,
    revocation_status: '0',
    scope: `${scene.profile.zh}公共资源交易`,
    publish_start: day,
    publish_end: until,
    confined_start: day,
    confined_end: until,
    confined_action: '限制参加投标;限制参加政府采购',
    changed_at: at,
  }
}
