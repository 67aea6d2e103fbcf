/**
 * What a system does next, as a list of steps: pure, so that the same state makes the same steps. All steps of a plan are one
 * transaction of the source, and the order of the additions is the order in which they reach the node.
 */
import { dayAfter, dayOf, secondOf } from './days.ts'
import { blacklistAt, companyAt, dealAt, expertAt, projectAt, type Scene, violationAt } from './generator.ts'
import { randomOf } from './random.ts'
import type { Counts, SourceName, SourceRow } from './tables.ts'

export type Step =
  /** `endsBatch`: nothing travels together with this row that comes after it */
  | { readonly kind: 'add'; readonly source: SourceName; readonly row: SourceRow; readonly endsBatch?: true }
  /** the amount of an earlier deal turns out to be so many thousandths of what was said */
  | { readonly kind: 'correct'; readonly deal: number; readonly permille: number }
  | { readonly kind: 'withdraw'; readonly deal: number }

const YEAR = 365

const repeat = <T>(times: number, make: (i: number) => T): T[] => Array.from({ length: times }, (_, i) => make(i))

/** How long before the founding row i happened: the first ones on the day itself, the others over the last twelve months. */
const ageOf = ({ profile, seed }: Scene, name: string, i: number): number =>
  i < 5 ? 0 : randomOf(seed, profile.code, name, 'age', i).integer(0, YEAR - 1)

const momentsOf = (scene: Scene, now: Date) => (name: string, i: number) => {
  const age = ageOf(scene, name, i)
  const day = dayAfter(dayOf(now), -age)
  return { day, at: age === 0 ? secondOf(now) : `${day}T18:00:00+08:00`, age }
}

const registration = ({ profile, seed }: Scene, i: number, today: string): string =>
  dayAfter(today, -randomOf(seed, profile.code, 'company', 'age', i).integer(YEAR, 20 * YEAR))

export const planFounding = (scene: Scene, now: Date): readonly Step[] => {
  const { sizes } = scene.profile
  const moment = momentsOf(scene, now)
  const add = (source: SourceName, row: SourceRow): Step => ({ kind: 'add', source, row })
  const at = secondOf(now)
  const companies = repeat(sizes.companies, i =>
    add('legal_person', companyAt(scene, i, { day: registration(scene, i, dayOf(now)), at })),
  )
  const trades = repeat(sizes.projects, i => {
    const when = moment('project', i)
    const project = projectAt(scene, i, when)
    const deals = [2 * i, 2 * i + 1].map(number => add('deal', dealAt(scene, number, project, when)))
    return [add('tender_project', project), ...deals]
  }).flat()
  return [
    ...companies,
    ...trades,
    ...repeat(sizes.experts, i => add('expert', expertAt(scene, i, moment('expert', i)))),
    ...repeat(sizes.violations, i => add('violating', violationAt(scene, i, moment('violation', i)))),
    ...repeat(sizes.blacklist, i => add('blacklist', blacklistAt(scene, i, moment('blacklist', i)))),
  ]
}

/** Of twenty ticks, twelve bring a project with its two deals, three of these the first deal before the project. */
export const planTick = (scene: Scene, tick: number, counts: Counts, now: Date): readonly Step[] => {
  const random = randomOf(scene.seed, scene.profile.code, 'tick', tick)
  const steps: Step[] = []
  const live = { day: dayOf(now), at: secondOf(now), age: 0 }
  const add = (source: SourceName, row: SourceRow): unknown => steps.push({ kind: 'add', source, row })
  if (random.chance(0.3)) add('legal_person', companyAt(scene, counts.legal_person, live))
  if (random.chance(0.6)) {
    const project = projectAt(scene, counts.tender_project, live)
    const first = dealAt(scene, counts.deal, project, live)
    if (random.chance(0.25)) {
      steps.push({ kind: 'add', source: 'deal', row: first, endsBatch: true })
      add('tender_project', project)
    } else {
      add('tender_project', project)
      add('deal', first)
    }
    add('deal', dealAt(scene, counts.deal + 1, project, live))
  }
  if (random.chance(0.02)) add('expert', expertAt(scene, counts.expert, live))
  if (random.chance(0.04)) add('violating', violationAt(scene, counts.violating, live))
  if (random.chance(0.01)) add('blacklist', blacklistAt(scene, counts.blacklist, live))
  if (random.chance(0.1))
    steps.push({ kind: 'correct', deal: random.integer(0, counts.deal - 1), permille: random.integer(900, 1100) })
  if (random.chance(0.03)) steps.push({ kind: 'withdraw', deal: random.integer(0, counts.deal - 1) })
  return steps
}
