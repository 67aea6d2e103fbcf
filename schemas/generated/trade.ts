// Generated from datasets/trade.schema.json by `npm run codegen`. Do not edit.

/**
 * A trading project or one deal of it, from planning to performance.
 */
export interface TradeBody {
  /**
   * Unified deal code; where none was given, the code under which the source keeps the deal.
   */
  deal_code: string
  /**
   * Whether the record is of a project or of one deal.
   */
  level: 'project' | 'deal'
  /**
   * Key of the record of the project that the deal belongs to.
   */
  parent?: string
  /**
   * Class of the trade, from the dated table of classes.
   */
  class: string
  /**
   * Kind of trading: tender, procurement, auction or listing.
   */
  kind: 'tender' | 'procurement' | 'auction' | 'listing'
  /**
   * Stage that the trade has reached.
   */
  stage: 'planned' | 'tendered' | 'awarded' | 'contracted' | 'performed' | 'cancelled'
  /**
   * Title of the project or deal.
   */
  title: string
  /**
   * Region of the project.
   */
  region: string
  /**
   * Who tenders, purchases or assigns.
   */
  tenderer?: {
    /**
     * Name of the tenderer.
     */
    name: string
    /**
     * Code of the tenderer; never an identity number.
     */
    code?: string
  }
  /**
   * Agency that runs the trade.
   */
  agency?: {
    /**
     * Name of the agency.
     */
    name: string
    /**
     * Code of the agency; never an identity number.
     */
    code?: string
  }
  /**
   * Winning bidders, suppliers or assignees.
   */
  winners?: {
    /**
     * Name of the winner.
     */
    name: string
    /**
     * Code of the winner; never an identity number.
     */
    code?: string
    /**
     * Amount of this winner, in the currency of the record.
     */
    amount?: string
  }[]
  /**
   * Currency of the amounts; always written, CNY included.
   */
  currency?: string
  /**
   * Budget or reserve price.
   */
  budget?: string
  /**
   * Amount of the deal.
   */
  amount?: string
  /**
   * Expert seats drawn; one expert drawn twice counts twice.
   */
  expert_seats?: number
  /**
   * Date of the announcement.
   */
  announced_on?: string
  /**
   * Time of bid opening, with offset.
   */
  opened_at?: string
  /**
   * Date on which the deal was decided.
   */
  decided_on?: string
  /**
   * Date of the contract.
   */
  contracted_on?: string
  /**
   * Open Contracting identifier.
   */
  ocid?: string
}
